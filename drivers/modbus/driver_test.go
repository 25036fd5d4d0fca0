package modbus

import (
	"context"
	"errors"
	"strings"
	"testing"

	"fieldferry/drivers"
	"fieldferry/drivers/drivertest"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/tag"
)

// TestConformance holds both drivers to the contract, on the scripted server.
func TestConformance(t *testing.T) {
	for _, name := range []string{"modbus-tcp", "modbus-rtu"} {
		t.Run(name, func(t *testing.T) {
			d, _ := drivers.Lookup(name)
			var s *modbustest.Server
			link := func(t *testing.T) *tag.Link {
				units := map[byte]*modbustest.Memory{1: memory(), 2: memory()}
				if s = modbustest.New(t, units); name == "modbus-rtu" {
					s = modbustest.NewRTU(t, units)
				}
				return newLink(t, name, s.Endpoint(), map[int][]string{
					1: {"a hr:0 uint16", "b hr:2 float32 CDAB", "bit hr:5.2 bool", "coil coil:3 bool", "in ir:7 int32"},
					2: {"a hr:0 uint16", "far hr:900 int64"},
				})
			}
			drivertest.Run(t, drivertest.Harness{
				Driver: d,
				Link:   link,
				Faulty: func(t *testing.T) *tag.Link {
					l := link(t)
					l.Devices[0].Tags[0].Address = "hr:99999"
					return l
				},
				Silence: func(t *testing.T) {
					s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
						if r.Unit != 1 {
							c.Write(c.Answer(r))
						}
					})
				},
				Cut:   func(t *testing.T) { s.CloseAll() },
				Write: func(l *tag.Link) (*tag.Tag, tag.Value) { return l.Devices[0].Tags[1], tag.Float32(231.4) },
			})
		})
	}
}

// TestCheckTellsEverything: a link with everything wrong at once.
func TestCheckTellsEverything(t *testing.T) {
	l := newLink(t, "modbus-rtu", "com3", map[int][]string{
		1: {"ok hr:0 uint16", "far hr:70000 uint16", "type hr:1 uint17", "bit coil:1 int16", "order hr:1 float32 BA",
			"end hr:65535 int32", "text hr:0 string", "ro ir:1 uint16", "part hr:1.3 bool", "half hr:1 int8", "long hr:0 raw - 125"},
	})
	dev := l.Devices[0]
	for _, tg := range dev.Tags {
		tg.Access = tag.AccessReadWrite
	}
	second := *dev
	second.Name, second.Tags, second.Options = "d2", nil, &DeviceOptions{UnitID: 0, MaxRegisters: 126, MaxBits: 0}
	third := *dev
	third.Name, third.Tags, third.Options = "d3", nil, &DeviceOptions{UnitID: 256, MaxRegisters: 1, MaxBits: 1}
	l.Devices = append(l.Devices, &second, &third)
	o := l.Options.(*RTUOptions)
	o.Timeout, o.PauseAfterConnect, o.LateWindow = 0, -1, -1
	o.Serial.Baud, o.Serial.Parity, o.Serial.StopBits, o.Serial.DataBits = 960, "marx", 3, 7
	d, _ := drivers.Lookup("modbus-rtu")
	var got []string
	for _, f := range d.Check(l) {
		where := ""
		if f.Device != nil {
			where = f.Device.Name + " "
		}
		if f.Tag != nil {
			where += f.Tag.Name + " "
		}
		got = append(got, where+f.Path+": "+f.Text)
		if f.Hint == "" {
			t.Errorf("%s: no hint", got[len(got)-1])
		}
	}
	want := []string{
		`endpoint: endpoint "com3" does not say what it is`,
		`timeout: 0s is outside 1ms to 1m0s`,
		`pause_after_connect: -1ns is outside 0s to 10s`,
		`late_window: -1ns is outside 0s to 1h0m0s`,
		`serial.baud: 960 baud is outside 1200-921600`,
		`serial.parity: unknown parity "marx"`,
		`serial.stop_bits: 3 stop bits`,
		`serial.data_bits: RTU cannot be spoken with 7 data bits`,
		`d1 far address: address "hr:70000" is beyond 65535`,
		`d1 type type: unknown type "uint17"`,
		`d1 bit type: a coil is a single bit, not int16`,
		`d1 order byte_order: byte order "BA" is for one register, type float32 has 2`,
		`d1 end address: hr:65535 of length 2 ends beyond 65535`,
		`d1 text length: type string needs a length`,
		`d1 ro access: input registers cannot be written`,
		`d1 long access: 125 registers cannot be written at once`,
		`d2 unit_id: unit id 0 is the broadcast, which nobody answers`,
		`d2 max_registers: 126 registers in one read is outside 1-125`,
		`d2 max_bits: 0 bits in one read is outside 1-2000`,
		`d3 unit_id: unit id 256 is outside 1-255`,
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got faults\n%s\nwant\n%s", g, w)
	}
}

func TestEndpoints(t *testing.T) {
	for _, c := range []struct {
		driver, in, want, fault string
	}{
		{"modbus-tcp", "tcp://10.0.0.5", "10.0.0.5:502", ""},
		{"modbus-tcp", "tcp://plc7:1502", "plc7:1502", ""},
		{"modbus-tcp", "tcp://[fe80::1]:502", "[fe80::1]:502", ""},
		{"modbus-tcp", "tcp://[fe80::1]", "[fe80::1]:502", ""},
		{"modbus-tcp", "tcp://fe80::1", "", "without brackets"},
		{"modbus-tcp", "tcp://", "", "no usable host"},
		{"modbus-tcp", "tcp://plc7:", "", "outside 1-65535"},
		{"modbus-tcp", "tcp://plc7:0", "", "outside 1-65535"},
		{"modbus-tcp", "tcp://plc7:70000", "", "outside 1-65535"},
		{"modbus-tcp", "tcp://plc7/x", "", "no usable host"},
		{"modbus-tcp", "10.0.0.5", "", "does not say what it is"},
		{"modbus-tcp", "udp://10.0.0.5", "", "unknown kind"},
		{"modbus-tcp", "/dev/ttyUSB0", "", "is a serial port"},
		{"modbus-tcp", "", "", "missing"},
		{"modbus-rtu", "/dev/serial/by-id/usb-FTDI", "/dev/serial/by-id/usb-FTDI", ""},
		{"modbus-rtu", "tcp://converter:4001", "converter:4001", ""},
		{"modbus-rtu", "tcp://converter", "", "has no port"},
		{"modbus-rtu", "ttyUSB0", "", "does not say what it is"},
		{"modbus-ascii", "/dev/ttyS0", "/dev/ttyS0", ""},
		{"modbus-ascii", "tcp://converter:4001", "converter:4001", ""},
		{"modbus-tcp", "listen://:5020", ":5020", ""},
		{"modbus-rtu", "listen://10.1.0.1:5020?from=10.1.0.7", "10.1.0.1:5020 10.1.0.7", ""},
		{"modbus-rtu", "listen://", "", "has no port"},
		{"modbus-rtu", "listen://:0", "", "outside 1-65535"},
		{"modbus-rtu", "listen://plant:5020", "", "not an address of this machine"},
		{"modbus-rtu", "listen://:5020?from=modem", "", "not from= and an address"},
		{"modbus-rtu", "listen://:5020?for=10.1.0.7", "", "not from= and an address"},
	} {
		reg, _ := drivers.Lookup(c.driver)
		e, f := reg.(*driver).endpoint(c.in)
		got := e.address + e.port + e.listen
		if e.from.IsValid() {
			got += " " + e.from.String()
		}
		if got != c.want || (f == nil) != (c.fault == "") || f != nil && (!strings.Contains(f.Text, c.fault) || f.Hint == "") {
			t.Errorf("%s %q: got %q, %+v; want %q, %q", c.driver, c.in, got, f, c.want, c.fault)
		}
	}
}

// TestReachFaults: who may dial in is said, and a backup is another place.
func TestReachFaults(t *testing.T) {
	for _, c := range []struct {
		driver, endpoint, backup string
		allow                    []string
		want                     string
	}{
		{"modbus-rtu", "listen://:5020", "", []string{"10.1.0.7"}, ""},
		{"modbus-tcp", "listen://:5020?from=10.1.0.7", "", []string{"10.1.0.0/24"}, ""},
		{"modbus-rtu", "listen://:5020", "", nil, "allow: nobody is allowed to dial in at :5020"},
		{"modbus-rtu", "listen://:5020", "", []string{"0.0.0.0/0"}, `allow[0]: "0.0.0.0/0" is everybody`},
		{"modbus-rtu", "listen://:5020", "", []string{"10.1.0.7", "modem"}, `allow[1]: "modem" is not an address`},
		{"modbus-rtu", "listen://:5020?from=10.2.0.7", "", []string{"10.1.0.0/24"}, "allow: 10.2.0.7 may not dial in"},
		{"modbus-tcp", "tcp://plc", "", []string{"10.1.0.7"}, "allow: an allow-list where nobody dials in"},
		{"modbus-tcp", "tcp://plc", "tcp://plc2", nil, ""},
		{"modbus-rtu", "/dev/ttyS0", "tcp://converter:4001", nil, ""},
		{"modbus-tcp", "tcp://plc", "tcp://plc:502", nil, "backup: the backup is the endpoint itself"},
		{"modbus-tcp", "tcp://plc", "plc2", nil, `backup: endpoint "plc2" does not say what it is`},
		{"modbus-tcp", "tcp://plc", "listen://:5020", nil, "backup: no backup for, or by, listen://"},
	} {
		l := newLink(t, c.driver, c.endpoint, nil)
		switch o := l.Options.(type) {
		case *TCPOptions:
			o.Backup, o.Allow = c.backup, c.allow
		case *RTUOptions:
			o.Backup, o.Allow = c.backup, c.allow
		}
		d, _ := drivers.Lookup(c.driver)
		got := ""
		for _, f := range d.Check(l) {
			got += f.Path + ": " + f.Text
			if f.Hint == "" {
				t.Errorf("%s: no hint", f.Text)
			}
		}
		if got != c.want {
			t.Errorf("%s, backup %q, allow %q: got %q, want %q", c.endpoint, c.backup, c.allow, got, c.want)
		}
	}
}

func TestOpenTellsWhatIsWrong(t *testing.T) {
	for endpoint, text := range map[string]string{
		"tcp://127.0.0.1:1":     "refused",
		"/dev/does-not-exist":   "no such port",
		"/dev/null":             "not a terminal",
		"tcp://nowhere.invalid": "nowhere.invalid",
	} {
		name := "modbus-rtu"
		if endpoint == "tcp://nowhere.invalid" {
			name = "modbus-tcp"
		}
		d, _ := drivers.Lookup(name)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, err := d.Open(ctx, newLink(t, name, endpoint, nil), quiet)
		cancel()
		if !errors.Is(err, drivers.ErrLinkDown) || !strings.Contains(err.Error(), text) {
			t.Errorf("open %s: got %v, want ErrLinkDown with %q", endpoint, err, text)
		}
	}
}
