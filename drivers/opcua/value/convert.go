package value

import (
	"fmt"
	"time"

	"github.com/gopcua/opcua/ua"

	"fieldferry/tag"
)

// converter turns one variant into a value and collects what is to be said
// about it.
type converter struct {
	namespaces []string
	learned    []string
	level      tag.Level
	reason     string
	unlearned  *ua.NodeID
}

// note lowers the quality of the value.
func (c *converter) note(l tag.Level, reason string) {
	if c.reason == "" || l > c.level {
		c.reason = reason
	}
	c.level = max(c.level, l)
}

func (c *converter) fail(reason string) tag.Value {
	c.note(tag.Bad, reason)
	return tag.Value{}
}

func (c *converter) convert(v *ua.Variant) tag.Value {
	switch x := v.Value().(type) {
	case bool:
		return tag.Bool(x)
	case int8:
		return tag.Int(int64(x))
	case int16:
		return tag.Int(int64(x))
	case int32:
		return tag.Int(int64(x))
	case int64:
		return tag.Int(x)
	case uint8:
		return tag.Uint(uint64(x))
	case uint16:
		return tag.Uint(uint64(x))
	case uint32:
		return tag.Uint(uint64(x))
	case uint64:
		return tag.Uint(x)
	case float32:
		return tag.Float32(x)
	case float64:
		return tag.Float64(x)
	case []byte:
		if len(x) > MaxSize {
			return c.fail(reasonSize)
		}
		return tag.Bytes(x)
	case time.Time:
		return c.date(x)
	}
	if s, ok := c.scalarText(v.Value()); ok {
		return c.text(s)
	}
	return c.document(v.Value())
}

// scalarText gives the text of the built-in types that are passed on as text.
func (c *converter) scalarText(v any) (string, bool) {
	switch x := v.(type) {
	case string:
		return x, true
	case ua.XMLElement:
		return string(x), true
	case ua.StatusCode:
		return StatusName(x), true
	case *ua.GUID:
		if x == nil || len(x.Data4) != 8 {
			return "", false
		}
		return x.String(), true
	case *ua.NodeID:
		return c.nodeID(x), true
	case *ua.ExpandedNodeID:
		return c.expandedID(x), true
	case *ua.QualifiedName:
		if x == nil {
			return "", false
		}
		return qualifiedName(x), true
	case *ua.LocalizedText:
		if x == nil {
			return "", false
		}
		return x.Text, true
	}
	return "", false
}

// date writes a date as RFC 3339 with the 100 ns that OPC UA knows. The zero
// date of OPC UA (1601-01-01) means none.
func (c *converter) date(t time.Time) tag.Value {
	switch {
	case t.IsZero():
		c.note(tag.Good, reasonNull)
		return tag.Value{}
	case !believable(t):
		return c.fail(reasonDate)
	}
	return tag.String(t.UTC().Format(time.RFC3339Nano))
}

func (c *converter) nodeID(id *ua.NodeID) string {
	if id == nil {
		return "i=0"
	}
	return id.String()
}

func (c *converter) expandedID(id *ua.ExpandedNodeID) string {
	if id == nil || id.NodeID == nil {
		return "i=0"
	}
	s := ua.NewNodeIDFromExpandedNodeID(id).String()
	if id.NamespaceURI != "" {
		s = "nsu=" + id.NamespaceURI + ";" + s
	}
	if id.ServerIndex != 0 {
		s = fmt.Sprintf("svr=%d;%s", id.ServerIndex, s)
	}
	return s
}

func qualifiedName(q *ua.QualifiedName) string {
	if q.NamespaceIndex == 0 {
		return q.Name
	}
	return fmt.Sprintf("%d:%s", q.NamespaceIndex, q.Name)
}
