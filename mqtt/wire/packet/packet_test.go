package packet

import "testing"

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		want Header
		err  string
	}{
		{"pingresp", []byte{0xD0, 0}, Header{13, 0, 0, 2}, ""},
		{"publish of 321 bytes", []byte{0x33, 0xC1, 0x02}, Header{3, 3, 321, 3}, ""},
		{"largest length", []byte{0x30, 0xff, 0xff, 0xff, 0x7f}, Header{3, 0, 268435455, 5}, ""},
		{"nothing", nil, Header{}, "header is not complete"},
		{"length not complete", []byte{0x30, 0x80}, Header{}, "header is not complete"},
		{"five bytes of length", []byte{0x30, 0x80, 0x80, 0x80, 0x80, 1}, Header{}, "malformed packet: its length takes more than four bytes"},
		{"type 0", []byte{0x00, 0}, Header{0, 0, 0, 2}, "malformed packet: a broker does not send type 0"},
		{"CONNECT", []byte{0x10, 0}, Header{1, 0, 0, 2}, "malformed packet: a broker does not send type 1"},
		{"QoS 3", []byte{0x36, 2}, Header{3, 6, 2, 2}, "malformed packet: PUBLISH with QoS 3"},
		{"flags of PUBACK", []byte{0x41, 2}, Header{4, 1, 2, 2}, "malformed packet: type 4 with flags 0x1"},
		{"PUBREL", []byte{0x62, 2}, Header{6, 2, 2, 2}, ""},
		{"flags of PUBREL", []byte{0x60, 2}, Header{6, 0, 2, 2}, "malformed packet: type 6 with flags 0x0"},
	} {
		got, err := Parse(c.in)
		if got != c.want || message(err) != c.err {
			t.Errorf("%s: Parse(% x)\n got %+v, %q\nwant %+v, %q", c.name, c.in, got, message(err), c.want, c.err)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func FuzzParse(f *testing.F) {
	for _, s := range [][]byte{{0xD0, 0}, {0x33, 0xC1, 2}, {0x30, 0x80, 0x80, 0x80, 0x80, 1}, {0x36, 2}, {}} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := Parse(b)
		if err == nil && (h.Size < 2 || h.Size > MaxHeader || h.Size > len(b) || h.Rest < 0 || h.Rest > 268435455) {
			t.Errorf("Parse(% x) = %+v", b, h)
		}
	})
}
