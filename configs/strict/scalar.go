package strict

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"fieldferry/configs/tree"
)

var (
	wholeNumber = regexp.MustCompile(`^[+-]?(0|[1-9][0-9]*|0[xX][0-9a-fA-F]+|0b[01]+)$`)
	zeroNumber  = regexp.MustCompile(`^[+-]?0[0-9]+(\.[0-9]*)?$`)
	realNumber  = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)
	oddNumber   = regexp.MustCompile(`^[+-]?[0-9][0-9_]*_[0-9_]*$`)
	commaNumber = regexp.MustCompile(`^[+-]?[0-9]+,[0-9]+$`)
)

// problem is what is wrong with one scalar.
type problem struct{ text, hint string }

func wrong(hint, format string, args ...any) *problem {
	return &problem{fmt.Sprintf(format, args...), hint}
}

// setScalar puts the text of a scalar node into v, which is no struct, map,
// slice or pointer.
func setScalar(v reflect.Value, n *tree.Node) *problem {
	if v.Type() == durationType {
		d, p := duration(n)
		if p == nil {
			v.SetInt(int64(d))
		}
		return p
	}
	switch v.Kind() {
	case reflect.Bool:
		return setBool(v, n)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return setInteger(v, n)
	case reflect.Float32, reflect.Float64:
		return setFloat(v, n)
	case reflect.String:
		if p := textual(n); p != nil {
			return p
		}
		v.SetString(n.Text)
		return nil
	case reflect.Interface:
		v.Set(reflect.ValueOf(natural(n)))
		return nil
	}
	panic(fmt.Sprintf("strict: a setting of type %s is not supported", v.Type()))
}

// textual refuses a bare number that YAML would not keep as it is written:
// 40001.10 would become 40001.1, and 040001 may become an octal number.
func textual(n *tree.Node) *problem {
	if !n.Plain || n.Filled {
		return nil
	}
	quoted := "quote it: " + strconv.Quote(n.Text)
	switch {
	case zeroNumber.MatchString(n.Text):
		return wrong(quoted, "%s is a number with a leading zero, which others may read as octal", n.Text)
	case oddNumber.MatchString(n.Text):
		return wrong(quoted, "%s is a number with underscores", n.Text)
	case realNumber.MatchString(n.Text) && !wholeNumber.MatchString(n.Text):
		return wrong(quoted, "%s is a bare number with a fraction, which others may shorten", n.Text)
	}
	return nil
}

func setBool(v reflect.Value, n *tree.Node) *problem {
	switch n.Text {
	case "true", "false":
		if n.Plain || n.Filled {
			v.SetBool(n.Text == "true")
			return nil
		}
		return wrong("write "+n.Text+" without quotes", "%q is text, not true or false", n.Text)
	}
	hint := "write true or false"
	switch strings.ToLower(n.Text) {
	case "yes", "on", "true", "1", "y":
		hint = "write true"
	case "no", "off", "false", "0", "n":
		hint = "write false"
	}
	return wrong(hint, "%q is not true or false", clip(n.Text))
}

func setInteger(v reflect.Value, n *tree.Node) *problem {
	if p := numeric(n, wholeNumber, "a whole number"); p != nil {
		return p
	}
	text := strings.TrimPrefix(n.Text, "+")
	bits := v.Type().Bits()
	if v.CanInt() {
		i, err := strconv.ParseInt(text, 0, bits)
		if err != nil {
			return wrong("", "%s is out of range: from %d to %d", clip(n.Text), int64(-1)<<(bits-1), int64(math.MaxInt64)>>(64-bits))
		}
		v.SetInt(i)
		return nil
	}
	u, err := strconv.ParseUint(text, 0, bits)
	if err != nil {
		return wrong("", "%s is out of range: from 0 to %d", clip(n.Text), uint64(math.MaxUint64)>>(64-bits))
	}
	v.SetUint(u)
	return nil
}

func setFloat(v reflect.Value, n *tree.Node) *problem {
	text := strings.TrimPrefix(n.Text, "+")
	if wholeNumber.MatchString(n.Text) && strings.ContainsAny(n.Text, "xXb") {
		i, err := strconv.ParseInt(text, 0, 64)
		if err != nil {
			return wrong("", "%s is out of range", clip(n.Text))
		}
		v.SetFloat(float64(i))
		return nil
	}
	if p := numeric(n, realNumber, "a number"); p != nil {
		return p
	}
	x, err := strconv.ParseFloat(text, v.Type().Bits())
	if err != nil {
		return wrong("", "%s is out of range", clip(n.Text))
	}
	v.SetFloat(x)
	return nil
}

// numeric refuses what is no number of a form, and says how it would be one.
func numeric(n *tree.Node, form *regexp.Regexp, name string) *problem {
	t := n.Text
	if form.MatchString(t) && !zeroNumber.MatchString(t) {
		if n.Plain || n.Filled {
			return nil
		}
		return wrong("write "+t+" without quotes", "%q is text, not %s", t, name)
	}
	hint := ""
	switch {
	case zeroNumber.MatchString(t):
		if hint = strings.TrimLeft(t, "+-0"); hint == "" || hint[0] == '.' {
			hint = "0" + hint
		}
		if t[0] == '-' {
			hint = "-" + hint
		}
		return wrong("write "+hint, "%s is a number with a leading zero, which others may read as octal", t)
	case oddNumber.MatchString(t):
		hint = "write " + strings.ReplaceAll(t, "_", "")
	case commaNumber.MatchString(t):
		hint = "write " + strings.Replace(t, ",", ".", 1)
	}
	return wrong(hint, "%q is not %s", clip(t), name)
}

// natural is what YAML itself makes of a scalar, for a setting of any type.
func natural(n *tree.Node) any {
	if !n.Plain {
		return n.Text
	}
	switch {
	case n.Text == "true" || n.Text == "false":
		return n.Text == "true"
	case wholeNumber.MatchString(n.Text):
		if i, err := strconv.ParseInt(strings.TrimPrefix(n.Text, "+"), 0, 64); err == nil {
			return i
		}
	case realNumber.MatchString(n.Text) && !zeroNumber.MatchString(n.Text):
		if x, err := strconv.ParseFloat(n.Text, 64); err == nil {
			return x
		}
	}
	return n.Text
}

var durationType = reflect.TypeFor[time.Duration]()

var units = map[string]time.Duration{
	"ns": time.Nanosecond, "us": time.Microsecond, "µs": time.Microsecond, "ms": time.Millisecond,
	"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
}

// spelled maps units as people write them to ours.
var spelled = map[string]string{
	"msec": "ms", "msecs": "ms", "millisecond": "ms", "milliseconds": "ms",
	"sec": "s", "secs": "s", "second": "s", "seconds": "s", "S": "s",
	"min": "m", "mins": "m", "minute": "m", "minutes": "m",
	"hr": "h", "hrs": "h", "hour": "h", "hours": "h", "H": "h",
	"day": "d", "days": "d", "D": "d", "week": "w", "weeks": "w",
}

var durationPart = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)\s*([^0-9.,\s]*)`)

const durationForm = "write a number and a unit: 500ms, 10s, 5m, 12h, 30d"

// duration reads "500ms", "1h30m" or "30d"; never below zero.
func duration(n *tree.Node) (time.Duration, *problem) {
	text := n.Text
	if text == "0" {
		return 0, nil
	}
	if strings.HasPrefix(text, "-") {
		return 0, wrong(durationForm, "%q is below zero", clip(text))
	}
	if realNumber.MatchString(text) {
		return 0, wrong(fmt.Sprintf("write %ss for seconds or %sms for milliseconds", text, text), "%s has no unit", clip(text))
	}
	sum, fixed, bad := 0.0, "", ""
	for rest := text; rest != ""; {
		m := durationPart.FindStringSubmatch(rest)
		if m == nil || m[0] == "" {
			return 0, wrong(durationForm, "%q is not a time", clip(text))
		}
		x, _ := strconv.ParseFloat(m[1], 64)
		unit, ok := units[m[2]]
		if !ok || strings.ContainsAny(m[0], " \t") {
			bad = m[2]
		}
		if s, known := spelled[m[2]]; known {
			fixed += m[1] + s
		} else {
			fixed += m[1] + m[2]
		}
		sum += x * float64(unit)
		rest = rest[len(m[0]):]
	}
	if bad != "" || fixed != text {
		return 0, wrongUnit(text, fixed, bad)
	}
	if sum >= math.MaxInt64 {
		return 0, wrong("", "%q is too long: at most 292 years", clip(text))
	}
	return time.Duration(math.Round(sum)), nil
}

func wrongUnit(text, fixed, bad string) *problem {
	hint := durationForm
	if fixed != text {
		if d, p := duration(&tree.Node{Text: fixed}); p == nil && d > 0 {
			hint = fmt.Sprintf("did you mean `%s`?", fixed)
		}
	}
	if _, known := units[bad]; bad == "" || known {
		return wrong(hint, "%q is not a time", clip(text))
	}
	return wrong(hint, "unknown unit %q in %q", clip(bad), clip(text))
}

// clip shortens a text for a message.
func clip(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most-3]) + "..."
	}
	return s
}
