package value

import (
	"encoding/base64"
	"errors"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gopcua/opcua/ua"

	"fieldferry/tag"
)

// Raw is the body of a structure whose fields are not known. It is the type
// that Learn gives to the library.
type Raw struct{ body []byte }

// Decode takes the whole body.
func (r *Raw) Decode(b []byte) (int, error) {
	r.body = append([]byte(nil), b...)
	return len(b), nil
}

// Encode gives the body back unchanged.
func (r *Raw) Encode() ([]byte, error) { return r.body, nil }

// maxLearned bounds what servers can make us remember for ever.
const maxLearned = 4096

// learned are the encodings that the library keeps for the process: the text
// of the id, and what registers it once. Only raw bodies are registered, never
// a Go type: two servers may use one id for different structures.
var learned = struct {
	sync.Map
	count atomic.Int64
}{}

// Learn makes the library keep the body of structures of an encoding that it
// would otherwise throw away. What was received before stays lost: the value
// must be read again, by a Reader that has the encoding among its Learned.
func Learn(encoding *ua.NodeID) error {
	key := encoding.String()
	register, known := learned.Load(key)
	if !known {
		if learned.count.Add(1) > maxLearned {
			return errors.New("too many different structures")
		}
		register, _ = learned.LoadOrStore(key, sync.OnceFunc(func() { registerRaw(encoding) }))
	}
	register.(func())()
	return nil
}

func registerRaw(encoding *ua.NodeID) {
	// The library panics when it knows the id as a type of its own: then a
	// value without a body is an empty one.
	defer func() { _ = recover() }()
	ua.RegisterExtensionObject(encoding, new(Raw))
}

// jsonExtension appends a structure: its fields where the library knows them,
// else {"type": id of the encoding, "body": base64}.
func (c *converter) jsonExtension(dst []byte, x *ua.ExtensionObject, depth int) []byte {
	switch {
	case x == nil || x.EncodingMask == ua.ExtensionObjectEmpty:
		return append(dst, "null"...)
	case x.Value == nil:
		return c.jsonBodiless(dst, x.TypeID)
	}
	switch v := x.Value.(type) {
	case *Raw:
		return c.jsonRaw(dst, x.TypeID, v.body)
	case *ua.XMLElement:
		return c.jsonText(dst, string(*v))
	}
	return c.json(dst, reflect.ValueOf(x.Value), depth+1)
}

// jsonBodiless appends a structure whose body the library did not keep: either
// it is empty, or its encoding must be learned first.
func (c *converter) jsonBodiless(dst []byte, encoding *ua.ExpandedNodeID) []byte {
	if encoding == nil || encoding.NodeID == nil {
		return append(dst, "null"...)
	}
	id := ua.NewNodeIDFromExpandedNodeID(encoding)
	if id.String() == "i=0" {
		return append(dst, "null"...)
	}
	if slices.Contains(c.learned, id.String()) {
		return c.jsonRaw(dst, encoding, nil)
	}
	if c.unlearned == nil {
		c.unlearned = id
	}
	c.note(tag.Bad, reasonUnlearned)
	return append(dst, "null"...)
}

func (c *converter) jsonRaw(dst []byte, encoding *ua.ExpandedNodeID, body []byte) []byte {
	c.note(tag.Good, reasonStructure)
	dst = append(dst, `{"type":`...)
	dst = c.jsonText(dst, c.typeName(encoding))
	dst = append(dst, `,"body":`...)
	dst = c.jsonText(dst, base64.StdEncoding.EncodeToString(body))
	return append(dst, '}')
}

// typeName writes the encoding id of a structure with its namespace's URI,
// which does not move when the server restarts.
func (c *converter) typeName(id *ua.ExpandedNodeID) string {
	if id == nil || id.NodeID == nil {
		return ""
	}
	ns := int(id.NodeID.Namespace())
	if id.NamespaceURI != "" || ns == 0 || ns >= len(c.namespaces) {
		return c.expandedID(id)
	}
	plain := ua.NewNodeIDFromExpandedNodeID(id)
	if err := plain.SetNamespace(0); err != nil {
		return c.expandedID(id)
	}
	return "nsu=" + c.namespaces[ns] + ";" + plain.String()
}
