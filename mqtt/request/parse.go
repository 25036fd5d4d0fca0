package request

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"fieldferry/tag"
)

const (
	maxPayload = 64 << 10 // bytes
	maxID      = 128      // bytes
	maxDepth   = 32       // of arrays and objects in a value
)

// Order is what a command asks for.
type Order struct {
	Value   tag.Value
	ID      string    // empty: none was given
	Expires time.Time // zero: never
}

// Forms are the forms of command that are accepted.
type Forms struct {
	JSON  bool // an object
	Plain bool // a value
}

// Parse reads a command. An error says, in words for the sender, why the
// command is refused; the Order then still has the id, if one was read.
func Parse(payload []byte, accept Forms) (Order, error) {
	switch {
	case len(payload) == 0:
		return Order{}, errors.New("the payload is empty")
	case len(payload) > maxPayload:
		return Order{}, fmt.Errorf("the payload has %d bytes, %d are allowed", len(payload), maxPayload)
	case !utf8.Valid(payload):
		return Order{}, errors.New("the payload is not UTF-8")
	}
	text := bytes.TrimSpace(payload)
	if len(text) > 0 && text[0] == '{' {
		if !accept.JSON {
			return Order{}, errors.New("JSON objects are not accepted here, only plain values")
		}
		return object(text)
	}
	if !accept.Plain {
		return Order{}, errors.New(`plain values are not accepted here, send {"value":...}`)
	}
	v, err := plain(text)
	return Order{Value: v}, err
}

// object reads {"value":...}.
func object(text []byte) (Order, error) {
	var o Order
	if err := shallow(text); err != nil {
		return o, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return o, notJSON(err)
	}
	seen := map[string]bool{}
	var wrong error // of the content; the rest is read on for the id
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return o, notJSON(err)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return o, notJSON(err)
		}
		if err := o.set(key.(string), raw, seen); err != nil && wrong == nil { // a key of an object is a string
			wrong = err
		}
	}
	if _, err := d.Token(); err != nil {
		return o, notJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return o, errors.New("something follows the JSON object")
	}
	if wrong == nil && !seen["value"] {
		wrong = errors.New(`the key "value" is missing`)
	}
	return o, wrong
}

func notJSON(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("the payload is no JSON: %w", err)
}

// set takes one member of the object.
func (o *Order) set(key string, raw json.RawMessage, seen map[string]bool) (err error) {
	if seen[key] {
		return fmt.Errorf("the key %q occurs twice", key)
	}
	seen[key] = true
	switch key {
	case "value":
		o.Value, err = value(raw)
	case "id":
		o.ID, err = id(raw)
	case "expires":
		o.Expires, err = expires(raw)
	default:
		return fmt.Errorf("unknown key %q: value, id and expires are known", key)
	}
	return err
}

func id(raw json.RawMessage) (string, error) {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil || string(raw) == "null" {
		return "", errors.New("the id is not a string")
	}
	if s == "" || len(s) > maxID {
		return "", fmt.Errorf("the id has %d bytes, between 1 and %d are allowed", len(s), maxID)
	}
	return s, nil
}

func expires(raw json.RawMessage) (time.Time, error) {
	var s string
	if err := json.Unmarshal(raw, &s); err == nil {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil && !t.IsZero() {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("expires is %s, not a time such as \"2026-11-20T08:27:30Z\"", short(string(raw)))
}

// plain reads a value that stands alone: JSON if it is a scalar of JSON, else
// text.
func plain(text []byte) (tag.Value, error) {
	if len(text) > 0 && (text[0] == '[' || text[0] == '"') || json.Valid(text) {
		return value(text)
	}
	return tag.String(string(text)), nil
}

// value reads a JSON value. Integers stay exact; what fits no type of ours is
// refused rather than rounded.
func value(raw []byte) (tag.Value, error) {
	raw = bytes.TrimSpace(raw)
	if !json.Valid(raw) {
		return tag.Value{}, fmt.Errorf("the value %s is no JSON", short(string(raw)))
	}
	switch raw[0] {
	case 'n':
		return tag.Value{}, errors.New("a null cannot be written")
	case 't', 'f':
		return tag.Bool(raw[0] == 't'), nil
	case '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return tag.String(s), err
	case '[', '{':
		if err := shallow(raw); err != nil {
			return tag.Value{}, err
		}
		return tag.JSON(string(raw)), nil
	}
	return number(string(raw))
}

func number(s string) (tag.Value, error) {
	if !strings.ContainsAny(s, ".eE") {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return tag.Int(i), nil
		}
		if u, err := strconv.ParseUint(s, 10, 64); err == nil {
			return tag.Uint(u), nil
		}
		return tag.Value{}, fmt.Errorf("the value %s is beyond 64 bits", short(s))
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) {
		return tag.Value{}, fmt.Errorf("the value %s is beyond the range of a number", short(s))
	}
	return tag.Float64(f), nil
}

// shallow refuses what is nested deeper than any tag can be, before a parser
// recurses into it.
func shallow(text []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("the payload is nested deeper than %d levels", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// short quotes a text, cut to a length that fits an answer.
func short(s string) string {
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:60], "") + "..."
	}
	return strconv.Quote(s)
}
