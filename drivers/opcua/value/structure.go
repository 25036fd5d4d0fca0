package value

import (
	"encoding/base64"
	"errors"
	"reflect"
	"sync"

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

// maxLearned bounds what a server can make us remember for ever.
const maxLearned = 4096

// learned are the encodings that the library keeps for the process. Only raw
// bodies are registered, never a Go type: two servers may use one id for
// different structures.
var learned = struct {
	sync.Mutex
	ids map[string]bool
}{ids: map[string]bool{}}

var errTooMany = errors.New("too many different structures")

// Learn makes the library keep the body of structures of an encoding that it
// would otherwise throw away. What was received before stays lost: the value
// must be read again.
func Learn(encoding *ua.NodeID) (err error) {
	if encoding == nil {
		return errors.New("no encoding id")
	}
	key := encoding.String()
	learned.Lock()
	defer learned.Unlock()
	if learned.ids[key] {
		return nil
	}
	if len(learned.ids) >= maxLearned {
		return errTooMany
	}
	defer func() {
		if p := recover(); p != nil { // the library knows it under another type: then it was decoded
			err = errors.New("encoding is taken")
		}
	}()
	ua.RegisterExtensionObject(encoding, new(Raw))
	learned.ids[key] = true
	return nil
}

// jsonExtension appends a structure: its fields where the library knows them,
// else {"type": id of the encoding, "body": base64}.
func (c *converter) jsonExtension(dst []byte, x *ua.ExtensionObject, depth int) []byte {
	switch {
	case x == nil || x.EncodingMask == ua.ExtensionObjectEmpty:
		return append(dst, "null"...)
	case x.Value == nil:
		if c.unlearned == nil && x.TypeID != nil {
			c.unlearned = ua.NewNodeIDFromExpandedNodeID(x.TypeID)
		}
		c.note(tag.Bad, reasonUnlearned)
		return append(dst, "null"...)
	}
	switch v := x.Value.(type) {
	case *Raw:
		c.note(tag.Good, reasonStructure)
		dst = append(dst, `{"type":`...)
		dst = c.jsonText(dst, c.typeName(x.TypeID))
		dst = append(dst, `,"body":`...)
		dst = c.jsonText(dst, base64.StdEncoding.EncodeToString(v.body))
		return append(dst, '}')
	case *ua.XMLElement:
		return c.jsonText(dst, string(*v))
	}
	return c.json(dst, reflect.ValueOf(x.Value), depth+1)
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
