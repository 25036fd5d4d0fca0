package mapping

import (
	"strings"

	"fieldferry/tag"
)

// wireKind is what a tag's type says about its values before the first one
// has been read.
type wireKind uint8

const (
	wireUnknown wireKind = iota // the device will tell (OPC UA without a type)
	wireBool
	wireInt
	wireFloat32
	wireFloat64
	wireText // strings, bytes, times, structures: nothing to compute with
)

// wireKinds knows the type words of all drivers, in lower case.
var wireKinds = map[string]wireKind{
	"bool": wireBool, "boolean": wireBool,
	"int8": wireInt, "int16": wireInt, "int32": wireInt, "int64": wireInt, "sbyte": wireInt,
	"uint8": wireInt, "uint16": wireInt, "uint32": wireInt, "uint64": wireInt, "byte": wireInt,
	"bcd16": wireInt, "bcd32": wireInt,
	"float32": wireFloat32, "float": wireFloat32,
	"float64": wireFloat64, "double": wireFloat64,
	"string": wireText, "raw": wireText, "bytes": wireText, "json": wireText,
	"bytestring": wireText, "datetime": wireText, "guid": wireText, "localizedtext": wireText,
}

func kindOf(typ string) wireKind {
	if strings.HasSuffix(typ, "]") {
		return wireText // an array: no number to compute with
	}
	return wireKinds[strings.ToLower(typ)]
}

// typeOf is the type of the values that a tag's driver takes and gives: that
// of the tag map, unless the driver's options say that it is another, since
// the device itself scales what lies on the wire.
func typeOf(t *tag.Tag) string {
	if o, ok := t.Options.(interface{ ValueType() string }); ok {
		if typ := o.ValueType(); typ != "" {
			return typ
		}
	}
	return t.Type
}
