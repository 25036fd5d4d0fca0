package value

import (
	"fmt"
	"strings"

	"github.com/gopcua/opcua/ua"
)

// Type is a type that a tag map declares. The zero Type is any.
type Type struct {
	id    ua.TypeID
	array bool
}

// typeNames are the words for the built-in types, ours first, then the
// standard's, in lower case.
var typeNames = map[string]ua.TypeID{
	"bool": ua.TypeIDBoolean, "boolean": ua.TypeIDBoolean,
	"int8": ua.TypeIDSByte, "sbyte": ua.TypeIDSByte,
	"uint8": ua.TypeIDByte, "byte": ua.TypeIDByte,
	"int16": ua.TypeIDInt16, "uint16": ua.TypeIDUint16,
	"int32": ua.TypeIDInt32, "uint32": ua.TypeIDUint32,
	"int64": ua.TypeIDInt64, "uint64": ua.TypeIDUint64,
	"float32": ua.TypeIDFloat, "float": ua.TypeIDFloat,
	"float64": ua.TypeIDDouble, "double": ua.TypeIDDouble,
	"string": ua.TypeIDString, "datetime": ua.TypeIDDateTime,
	"guid": ua.TypeIDGUID, "bytes": ua.TypeIDByteString, "bytestring": ua.TypeIDByteString,
	"xmlelement": ua.TypeIDXMLElement, "nodeid": ua.TypeIDNodeID, "expandednodeid": ua.TypeIDExpandedNodeID,
	"statuscode": ua.TypeIDStatusCode, "qualifiedname": ua.TypeIDQualifiedName,
	"localizedtext": ua.TypeIDLocalizedText, "structure": ua.TypeIDExtensionObject,
}

// ParseType reads a declared type: a word such as int16, Double or string,
// with [] behind it for an array; the empty text is any type.
func ParseType(text string) (Type, error) {
	if text == "" {
		return Type{}, nil
	}
	word, array := strings.CutSuffix(text, "[]")
	id, known := typeNames[strings.ToLower(word)]
	if !known {
		return Type{}, fmt.Errorf("unknown type %q", text)
	}
	return Type{id: id, array: array}, nil
}

// accepts says whether a value is of the declared type.
func (t Type) accepts(v *ua.Variant) bool {
	if t.id == 0 {
		return true
	}
	return v.Type() == t.id && v.Has(ua.VariantArrayValues) == t.array
}
