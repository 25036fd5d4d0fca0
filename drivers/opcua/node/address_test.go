package node

import (
	"errors"
	"strings"
	"testing"
)

var aliases = map[string]string{"s7": "http://www.siemens.com/simatic-s7-opcua"}

func TestParse(t *testing.T) {
	namespaces := []string{"http://opcfoundation.org/UA/", "urn:server", "http://plant/ua", "http://www.siemens.com/simatic-s7-opcua"}
	tests := []struct{ in, canonical, id string }{
		{"i=2258", "i=2258", "i=2258"},
		{"s=x", "s=x", "s=x"},
		{"ns=0;i=1", "i=1", "i=1"},
		{"ns=2;s=Line.Speed", "ns=2;s=Line.Speed", "ns=2;s=Line.Speed"},
		{"ns=65535;i=4294967295", "ns=65535;i=4294967295", "ns=65535;i=4294967295"},
		{"ns=2;s=a;b=c", "ns=2;s=a;b=c", "ns=2;s=a;b=c"},
		{"ns=2;g=72962b91-fa75-4ae6-8d28-b404dc7daf63", "ns=2;g=72962B91-FA75-4AE6-8D28-B404DC7DAF63", "ns=2;g=72962B91-FA75-4AE6-8D28-B404DC7DAF63"},
		{"ns=2;b=AQID", "ns=2;b=AQID", "ns=2;b=AQID"},
		{"nsu=http://plant/ua;s=Speed", "nsu=http://plant/ua;s=Speed", "ns=2;s=Speed"},
		{"nsu=urn:server;i=7", "nsu=urn:server;i=7", "ns=1;i=7"},
		{`s7:"DB_Motors"."M1"."Speed"`, `nsu=http://www.siemens.com/simatic-s7-opcua;s="DB_Motors"."M1"."Speed"`, `ns=3;s="DB_Motors"."M1"."Speed"`},
		{"s7:i=9", "nsu=http://www.siemens.com/simatic-s7-opcua;i=9", "ns=3;i=9"},
		{"s7:s=i=9", "nsu=http://www.siemens.com/simatic-s7-opcua;s=i=9", "ns=3;s=i=9"},
		{"s7:a:b", "nsu=http://www.siemens.com/simatic-s7-opcua;s=a:b", "ns=3;s=a:b"},
	}
	for _, tc := range tests {
		a, err := Parse(tc.in, aliases)
		if err != nil {
			t.Errorf("Parse(%q): got error %v, want %s", tc.in, err, tc.canonical)
			continue
		}
		if got := a.String(); got != tc.canonical {
			t.Errorf("Parse(%q).String(): got %q, want %q", tc.in, got, tc.canonical)
		}
		id, err := a.Resolve(namespaces)
		if err != nil || id.String() != tc.id {
			t.Errorf("Parse(%q).Resolve: got %v, %v, want %s", tc.in, id, err, tc.id)
		}
	}
}

func TestParseFaults(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", "no address"},
		{" i=1", "space"},
		{"svr=1;i=1", "another server"},
		{"nsu=http://plant/ua", "no identifier"},
		{"nsu=;s=x", "empty namespace"},
		{"ns=2", "no identifier"},
		{"ns=70000;s=x", "0 to 65535"},
		{"ns=-1;s=x", "0 to 65535"},
		{"ns=2;x=1", "must begin with"},
		{"ns=2;s=", "is empty"},
		{"ns=2;speed", "must begin with"},
		{"i=-1", "not a number"},
		{"i=4294967296", "not a number"},
		{"g=123", "not a GUID"},
		{"b=!!", "not base64"},
		{"hr:100", `no alias "hr"`},
		{"s8:x", `no alias "s8"`},
		{"s7:", "is empty"},
		{"speed", "not a node id"},
		{"s=" + strings.Repeat("x", maxID+1), "longer than"},
	}
	for _, tc := range tests {
		_, err := Parse(tc.in, aliases)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("Parse(%.40q): got %v, want an error with %q", tc.in, err, tc.want)
		}
	}
}

func TestResolveUnknownNamespace(t *testing.T) {
	a, err := Parse("nsu=urn:gone;i=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Resolve([]string{"urn:other"}); !errors.Is(err, ErrNamespace) {
		t.Errorf("Resolve without the namespace: got %v, want ErrNamespace", err)
	}
}

// FuzzParse: no text panics, and what is read is written and read again as
// the same address.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"i=1", "ns=2;s=a;b=c", "nsu=u;g=72962B91-FA75-4AE6-8D28-B404DC7DAF63", "s7:x", "s7:b=AQID", "ns=1;b=AA==", "svr=1;i=1", "nsu=a;i=1;s=2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s, aliases)
		if err != nil {
			return
		}
		b, err := Parse(a.String(), nil)
		if err != nil || a != b {
			t.Errorf("Parse(%q) = %+v, written %q, read again as %+v, %v", s, a, a.String(), b, err)
		}
		id, err := a.Resolve([]string{"", a.uri})
		if err != nil {
			t.Fatalf("Resolve(%+v): %v", a, err)
		}
		if _, err := id.Encode(); err != nil {
			t.Errorf("encode %s: %v", id, err)
		}
	})
}
