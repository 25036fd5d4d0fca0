// A Modbus TCP server for tests: jsmodbus, which answers requests that came in
// together in reverse order.
//
// Holding register i holds i, but for the last, 999: that counts the answers
// that overtook an earlier request. Requests are handed over every 5 ms, so
// that several come in together. It prints "listening PORT", and ends when
// stdin closes.
"use strict";

const net = require("net");
const { Duplex } = require("stream");
const { EventEmitter } = require("events");
const { server } = require("jsmodbus");

const inversions = 999;
const holding = Buffer.alloc(2000);
for (let i = 0; i < inversions; i++) holding.writeUInt16BE(i, 2 * i);

// counted looks at each answer on its way out.
function counted() {
  const asked = [];
  return {
    request(data) {
      for (let at = 0; at + 12 <= data.length; at += 6 + data.readUInt16BE(at + 4)) asked.push(data.readUInt16BE(at));
    },
    answer(data) {
      const i = asked.indexOf(data.readUInt16BE(0));
      if (i > 0) holding.writeUInt16BE((holding.readUInt16BE(2 * inversions) + 1) & 0xffff, 2 * inversions);
      asked.splice(i, 1);
    },
  };
}

// together is a connection whose requests arrive in bursts.
function together(socket) {
  const count = counted();
  let waiting = [];
  const stream = new Duplex({
    read() {},
    write(data, _, done) {
      count.answer(data);
      socket.write(data, done);
    },
  });
  const timer = setInterval(() => {
    if (waiting.length === 0) return;
    stream.push(Buffer.concat(waiting));
    waiting = [];
  }, 5);
  socket.setNoDelay(true);
  socket.on("data", (data) => {
    count.request(data);
    waiting.push(data);
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => clearInterval(timer));
  return stream;
}

const connections = new EventEmitter();
new server.TCP(connections, { holding, input: holding, coils: Buffer.alloc(100), discrete: Buffer.alloc(100) });
const listener = net.createServer((socket) => connections.emit("connection", together(socket)));
listener.listen(0, "127.0.0.1", () => console.log("listening " + listener.address().port));

process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
