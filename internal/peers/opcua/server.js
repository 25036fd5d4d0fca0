// An OPC UA server for tests. It prints "listening PORT" first, then takes one
// JSON command per line on stdin and answers each with one line of JSON; it
// ends when stdin closes.
//
// Argument: one JSON object, all keys optional:
//   pki         directory for the server's certificate and trust lists
//   users       {"name": "password"}; without it anybody may connect
//   anonymous   false refuses anonymous users
//   first       a namespace URI to register before ours: it moves our index
//   limits      operation limits, such as {"maxNodesPerRead": 10}
//   port        where to listen; a free one is taken without it
//   ticks       milliseconds between two steps of Counter, at least; 0 (default): it stands
//
// The namespace urn:fieldferry:peer holds the folder Plant with one variable
// per built-in type and a few troublesome ones; the values are written below.
"use strict";

const net = require("node:net");
const path = require("node:path");
const readline = require("node:readline");

// The package chats on stdout, which belongs to our answers.
const say = console.log;
console.log = console.info = console.debug = console.error;
const opcua = require("node-opcua");
const { OpaqueStructure } = require("node-opcua-extension-object");

const { DataType, StatusCodes, Variant, VariantArrayType } = opcua;
const options = JSON.parse(process.argv[2] || "{}");
const uri = "urn:fieldferry:peer";

// The truth that tests compare with. [name, data type, value]
const scalars = [
  ["Boolean", "Boolean", true],
  ["SByte", "SByte", -128],
  ["Byte", "Byte", 255],
  ["Int16", "Int16", -32768],
  ["UInt16", "UInt16", 65535],
  ["Int32", "Int32", -2147483648],
  ["UInt32", "UInt32", 4294967295],
  ["Int64", "Int64", [0x80000000, 0]], // the least one: [high, low]
  ["UInt64", "UInt64", [0xffffffff, 0xffffffff]],
  ["Float", "Float", 0.1],
  ["Double", "Double", 1.7976931348623157e308],
  ["String", "String", "grüß dich \u2713"],
  ["DateTime", "DateTime", new Date("2026-01-02T03:04:05.678Z")],
  ["Guid", "Guid", "72962B91-FA75-4AE6-8D28-B404DC7DAF63"],
  ["ByteString", "ByteString", Buffer.from([0, 1, 254, 255])],
  ["NodeId", "NodeId", opcua.coerceNodeId("ns=1;s=elsewhere")],
  ["QualifiedName", "QualifiedName", opcua.coerceQualifiedName({ namespaceIndex: 1, name: "qualified" })],
  ["LocalizedText", "LocalizedText", opcua.coerceLocalizedText({ locale: "de", text: "Förderband" })],
  ["NaN", "Double", NaN],
];

function freePort() {
  return new Promise((resolve, reject) => {
    const s = net.createServer();
    s.once("error", reject);
    s.listen(0, "127.0.0.1", () => {
      const { port } = s.address();
      s.close(() => resolve(port));
    });
  });
}

function variant(type, value) {
  const arrayType = Array.isArray(value) && !type.endsWith("Int64") ? VariantArrayType.Array : VariantArrayType.Scalar;
  return new Variant({ dataType: DataType[type], arrayType, value });
}

// Opaque is a structure of a type that nobody declares. The package's own
// loses its content when it is copied.
class Opaque extends OpaqueStructure {
  constructor(nodeId, buffer) {
    if (nodeId instanceof OpaqueStructure) super(nodeId.nodeId, nodeId.buffer);
    else super(nodeId, buffer);
  }
  clone() {
    return this;
  }
}

// plant makes all variables and returns them by name.
function plant(addressSpace, namespace) {
  const folder = namespace.addFolder(addressSpace.rootFolder.objects, { browseName: "Plant", nodeId: "s=Plant" });
  const nodes = {};
  const types = {};
  function add(name, type, value, extra = {}) {
    types[name] = type;
    nodes[name] = namespace.addVariable({
      componentOf: folder, browseName: name, nodeId: "s=" + name, dataType: type,
      accessLevel: "CurrentRead | CurrentWrite", userAccessLevel: "CurrentRead | CurrentWrite",
      minimumSamplingInterval: 10, value: variant(type, value), ...extra,
    });
  }
  for (const [name, type, value] of scalars) add(name, type, value);
  add("Counter", "UInt32", 0);
  add("ReadOnly", "Int32", 7, { accessLevel: "CurrentRead", userAccessLevel: "CurrentRead" });
  add("Array", "Float", [0.5, 1.5, -2.5], { valueRank: 1 });
  add("Large", "Double", new Array(70000).fill(1.5), { valueRank: 1 }); // more elements than the library takes
  add("Bad", "Double", 1);
  add("Uncertain", "Double", 2.5);
  nodes.Bad.setValueFromSource(variant("Double", 1), StatusCodes.BadSensorFailure);
  nodes.Uncertain.setValueFromSource(variant("Double", 2.5), StatusCodes.UncertainLastUsableValue);
  for (const [name, value] of [
    ["Range", new opcua.Range({ low: -1, high: 2.5 })],
    ["Structure", new Opaque(opcua.coerceNodeId("ns=" + namespace.index + ";i=7001"), Buffer.from([9, 8, 7]))],
  ]) {
    nodes[name] = namespace.addVariable({
      componentOf: folder, browseName: name, nodeId: "s=" + name, dataType: "Structure",
      value: new Variant({ dataType: DataType.ExtensionObject, value }),
    });
  }
  return { add, nodes, types };
}

// handle does one command and returns its answer.
function handle(addressSpace, { add, nodes, types }, c) {
  const node = nodes[c.name];
  switch (c.do) {
    case "set": { // {do, name, value, status?, time?}
      const status = c.status ? StatusCodes[c.status] : StatusCodes.Good;
      node.setValueFromSource(variant(types[c.name], c.value), status, c.time ? new Date(c.time) : new Date());
      return {};
    }
    case "get":
      return { value: node.readValue().value.value };
    case "remove":
      addressSpace.deleteNode(node);
      return {};
    case "restore":
      add(c.name, types[c.name], c.value);
      return {};
  }
  throw new Error("unknown command " + JSON.stringify(c));
}

async function main() {
  const port = options.port || (await freePort());
  const pki = options.pki || path.join(__dirname, "pki");
  const certificates = new opcua.OPCUACertificateManager({
    rootFolder: path.join(pki, "server"), automaticallyAcceptUnknownCertificate: true,
  });
  const users = new opcua.OPCUACertificateManager({
    rootFolder: path.join(pki, "users"), automaticallyAcceptUnknownCertificate: true,
  });
  await certificates.initialize();
  await users.initialize();
  const server = new opcua.OPCUAServer({
    port, host: "127.0.0.1", hostname: "127.0.0.1", resourcePath: "/peer",
    serverCertificateManager: certificates, userCertificateManager: users,
    allowAnonymous: options.anonymous !== false,
    userManager: { isValidUser: (name, password) => !!options.users && options.users[name] === password },
    serverCapabilities: { operationLimits: options.limits || {} },
    buildInfo: { productName: "Fieldferry test peer" },
  });
  await server.initialize();
  const addressSpace = server.engine.addressSpace;
  if (options.first) addressSpace.registerNamespace(options.first);
  const made = plant(addressSpace, addressSpace.registerNamespace(uri));
  // Each step is timed from the one before: after a stall two steps never
  // follow each other so closely that the sampling between them is missed.
  let n = 0;
  const step = () => {
    made.nodes.Counter.setValueFromSource(variant("UInt32", ++n));
    setTimeout(step, options.ticks);
  };
  if (options.ticks > 0) setTimeout(step, options.ticks);
  await server.start();
  say("listening " + port);

  const lines = readline.createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    let answer;
    try {
      answer = handle(addressSpace, made, JSON.parse(line));
    } catch (err) {
      answer = { error: String(err) };
    }
    say(JSON.stringify(answer));
  });
  lines.on("close", () => process.exit(0));
}

main().catch((err) => {
  console.error(err);
  process.exit(1);
});
