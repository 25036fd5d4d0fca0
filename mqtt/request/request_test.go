package request

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"fieldferry/command"
	"fieldferry/tag"
)

func TestParse(t *testing.T) {
	both, only := Forms{JSON: true, Plain: true}, Forms{JSON: true}
	at := time.Date(2026, 11, 20, 8, 27, 30, 0, time.UTC)
	for _, c := range []struct {
		in     string
		accept Forms
		want   Order
		err    string
	}{
		{`{"value":1450,"id":"a-17","expires":"2026-11-20T08:27:30Z"}`, only, Order{tag.Int(1450), "a-17", at}, ""},
		{` {"expires":"2026-11-20T09:27:30+01:00","value":1.5} `, only, Order{tag.Float64(1.5), "", at}, ""},
		{`{"value":true}`, only, Order{Value: tag.Bool(true)}, ""},
		{`{"value":"on"}`, only, Order{Value: tag.String("on")}, ""},
		{`{"value":-9223372036854775808}`, only, Order{Value: tag.Int(math.MinInt64)}, ""},
		{`{"value":18446744073709551615}`, only, Order{Value: tag.Uint(math.MaxUint64)}, ""},
		{`{"value":18446744073709551616}`, only, Order{}, `the value "18446744073709551616" is beyond 64 bits`},
		{`{"value":1e999}`, only, Order{}, `the value "1e999" is beyond the range of a number`},
		{`{"value":[1,2]}`, only, Order{Value: tag.JSON("[1,2]")}, ""},
		{`{"value":null}`, only, Order{}, "a null cannot be written"},
		{`{"id":"x"}`, only, Order{ID: "x"}, `the key "value" is missing`},
		{`{"Value":1,"id":"x"}`, only, Order{ID: "x"}, `unknown key "Value": value, id and expires are known`},
		{`{"value":1,"value":2}`, only, Order{Value: tag.Int(1)}, `the key "value" occurs twice`},
		{`{"value":1,"id":7}`, only, Order{Value: tag.Int(1)}, "the id is not a string"},
		{`{"value":1,"id":null}`, only, Order{Value: tag.Int(1)}, "the id is not a string"},
		{`{"value":1,"id":""}`, only, Order{Value: tag.Int(1)}, "the id has 0 bytes, between 1 and 128 are allowed"},
		{`{"value":1,"expires":1700000000}`, only, Order{Value: tag.Int(1)}, `expires is "1700000000", not a time such as "2026-11-20T08:27:30Z"`},
		{`{"value":1} {}`, only, Order{Value: tag.Int(1)}, "something follows the JSON object"},
		{`{"value":1`, only, Order{Value: tag.Int(1)}, "the payload is no JSON: unexpected EOF"},
		{`{"value":01}`, only, Order{Value: tag.Int(0)}, "the payload is no JSON: invalid character '1' after object key:value pair"},
		{`{"value":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, only, Order{}, "the payload is nested deeper than 32 levels"},
		{`22.5`, only, Order{}, `plain values are not accepted here, send {"value":...}`},
		{`22.5`, both, Order{Value: tag.Float64(22.5)}, ""},
		{"7\n", both, Order{Value: tag.Int(7)}, ""},
		{`false`, both, Order{Value: tag.Bool(false)}, ""},
		{`"7"`, both, Order{Value: tag.String("7")}, ""},
		{`auto`, both, Order{Value: tag.String("auto")}, ""},
		{`null`, both, Order{}, "a null cannot be written"},
		{`"open`, both, Order{}, `the value "\"open" is no JSON`},
		{`{"value":1}`, Forms{Plain: true}, Order{}, "JSON objects are not accepted here, only plain values"},
		{"", both, Order{}, "the payload is empty"},
		{"\xff", both, Order{}, "the payload is not UTF-8"},
		{strings.Repeat("x", maxPayload+1), both, Order{}, "the payload has 65537 bytes, 65536 are allowed"},
	} {
		got, err := Parse([]byte(c.in), c.accept)
		msg := ""
		if err != nil {
			msg = err.Error()
		}
		if got != c.want || msg != c.err {
			t.Errorf("Parse(%.80q, %+v)\n got %+v, %q\nwant %+v, %q", c.in, c.accept, got, msg, c.want, c.err)
		}
	}
}

func TestAnswer(t *testing.T) {
	at := time.Date(2026, 11, 20, 8, 27, 0, 123e6, time.UTC)
	for _, c := range []struct {
		in   command.Result
		want string
	}{
		{command.Result{ID: "a", Outcome: command.OutcomeDone, ReadBack: tag.Uint(math.MaxUint64), At: at},
			`{"id":"a","device":"pump","tag":"speed","outcome":"done","value":18446744073709551615,"timestamp":"2026-11-20T08:27:00.123Z"}`},
		{command.Result{Outcome: command.OutcomeRefused, Reason: "writes are switched off", At: at},
			`{"device":"pump","tag":"speed","outcome":"refused","reason":"writes are switched off","value":null,"timestamp":"2026-11-20T08:27:00.123Z"}`},
		{command.Result{Outcome: command.OutcomeUnknown, Reason: "timeout", ReadBack: tag.Float64(math.NaN()), Repeated: true, At: at},
			`{"device":"pump","tag":"speed","outcome":"unknown","reason":"timeout","repeated":true,"value":null,"timestamp":"2026-11-20T08:27:00.123Z"}`},
		{command.Result{Outcome: command.OutcomeDone, ReadBack: tag.JSON("[1,"), At: at},
			`{"device":"pump","tag":"speed","outcome":"done","value":null,"timestamp":"2026-11-20T08:27:00.123Z"}`},
		{command.Result{Outcome: command.OutcomeDone, ReadBack: tag.Float32(0.1), At: at},
			`{"device":"pump","tag":"speed","outcome":"done","value":0.1,"timestamp":"2026-11-20T08:27:00.123Z"}`},
	} {
		if got := string(Answer("pump", "speed", c.in)); got != c.want {
			t.Errorf("Answer(%+v)\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

func ExampleParse() {
	o, err := Parse([]byte(`{"value":1450,"id":"a-17"}`), Forms{JSON: true})
	fmt.Println(o.Value, o.ID, err)
	// Output: 1450 a-17 <nil>
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"value":1450,"id":"a-17","expires":"2026-11-20T08:27:30Z"}`, `{"value":[1,{"a":2}]}`, `22.5`, `auto`, `"x`, `{`,
		`{"value":1e400}`, `{"value":"\ud800"}`, "\x00", `[[[[`,
	} {
		f.Add([]byte(s), true, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, obj, plain bool) {
		o, err := Parse(b, Forms{JSON: obj, Plain: plain})
		if err != nil {
			return
		}
		if o.Value.IsNull() || len(o.ID) > maxID {
			t.Errorf("Parse(%q) = %+v", b, o)
		}
		if a := Answer("d", "t", command.Result{ID: o.ID, ReadBack: o.Value}); !json.Valid(a) {
			t.Errorf("Parse(%q): the answer %s is no JSON", b, a)
		}
	})
}
