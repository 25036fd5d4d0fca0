package configs

import (
	"reflect"

	"fieldferry/configs/edit"
	"fieldferry/configs/strict"
	"fieldferry/configs/tagmap"
	"fieldferry/drivers"
)

// ErrNotFound is wrapped by the errors of EditTag, AddTag and RemoveTag about
// a device or a tag that the file does not have.
var ErrNotFound = edit.ErrNotFound

// EditTag returns the text of a tag map in which some settings of a tag are
// changed: each key gets its value, and is removed where that is empty, so
// that what is inherited holds again. All other lines stay byte-identical. A
// tag that comes from a profile gets an override at its device. It is an
// error where that cannot be done safely, as for the devices of `each`; the
// result may still have faults, which Load tells.
func EditTag(file []byte, device, tag string, set map[string]string) ([]byte, error) {
	return edit.Set(file, device, tag, set, keyKind)
}

// AddTag appends a tag to the text of a tag map, under the rules of EditTag.
func AddTag(file []byte, device, tag string, set map[string]string) ([]byte, error) {
	return edit.Add(file, device, tag, set, keyKind)
}

// RemoveTag takes a tag out of a device's own list in the text of a tag map,
// under the rules of EditTag. A tag that its profile has as well remains,
// without what the device had changed.
func RemoveTag(file []byte, device, tag string) ([]byte, error) {
	return edit.Remove(file, device, tag)
}

// keyKind tells how the value of a key is written.
func keyKind(driver, key string) edit.Kind {
	drv, _ := drivers.Lookup(driver)
	return kindOf(drv, key)
}

func kindOf(drv drivers.Driver, key string) edit.Kind {
	t := tagmap.KeyType(drv, key)
	switch {
	case t == nil:
		return edit.Guess
	case strict.IsText(t):
		return edit.Text
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Map || t.Kind() == reflect.Struct:
		return edit.Group
	}
	return edit.Bare
}
