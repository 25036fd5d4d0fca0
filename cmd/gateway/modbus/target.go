package modbus

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"fieldferry/cmd/gateway/console"
	"fieldferry/drivers"
	"fieldferry/drivers/ask"
	"fieldferry/drivers/modbus/find"
	"fieldferry/drivers/modbus/place"
	"fieldferry/drivers/modbus/tty"
)

// target is what is asked: a link of the running gateway, or a place that is
// opened at each of some settings.
type target struct {
	socket console.Socket
	link   string // of the gateway; empty: there is none
	where  string // in words
	places []place.Place
}

// running is a Modbus link of the running gateway.
type running struct {
	Name     string `json:"name"`
	Driver   string `json:"driver"`
	Endpoint string `json:"endpoint"`
}

// links asks the gateway for its Modbus links; none where no gateway runs,
// with the reason.
func links(ctx context.Context, s console.Socket) (list []running, absent, err error) {
	var status struct {
		Links []running `json:"links"`
	}
	err = s.Call(ctx, http.MethodGet, "/api/status", nil, &status)
	if console.Absent(err) {
		return nil, err, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return slices.DeleteFunc(status.Links, func(l running) bool { return !strings.HasPrefix(l.Driver, "modbus-") }), nil, nil
}

// choose finds out what a command means by its argument.
func (a *asking) choose(ctx context.Context, args []string, explicit bool) (*target, error) {
	t := &target{socket: console.Socket(a.socket)}
	list, absent, err := links(ctx, t.socket)
	if err != nil {
		return nil, err
	}
	if len(args) == 0 {
		return t.only(list, absent)
	}
	endpoint, isAddress := address(args[0])
	for _, l := range list {
		if l.Name != args[0] && (!isAddress || !same(l.Endpoint, endpoint)) {
			continue
		}
		if explicit {
			return nil, console.Failed(fmt.Errorf("%s belongs to link %s of the running gateway, which asks at the link's own settings: leave --baud, --parity, --stop-bits and --framing out, or set the link enabled: false and reload, which frees the port",
				console.Safe(endpoint), console.Safe(l.Name)))
		}
		t.link, t.where = l.Name, fmt.Sprintf("link %s (%s, %s), through the gateway", l.Name, l.Driver, l.Endpoint)
		return t, nil
	}
	if !isAddress {
		if absent != nil {
			return nil, absent
		}
		return nil, console.Failed(fmt.Errorf("the gateway runs no Modbus link %q (%s); a port is named by its path, a network address as tcp://HOST:PORT", args[0], names(list)))
	}
	return t, a.place(t, endpoint)
}

// only is the one Modbus link of the gateway.
func (t *target) only(list []running, absent error) (*target, error) {
	switch {
	case absent != nil:
		return nil, absent
	case len(list) != 1:
		return nil, console.Usage("say which: the gateway runs %s", names(list))
	}
	t.link, t.where = list[0].Name, fmt.Sprintf("link %s (%s, %s), through the gateway", list[0].Name, list[0].Driver, list[0].Endpoint)
	return t, nil
}

func names(list []running) string {
	if len(list) == 0 {
		return "no Modbus link"
	}
	var out []string
	for _, l := range list {
		out = append(out, console.Safe(l.Name))
	}
	return "the Modbus links " + strings.Join(out, ", ")
}

// address tells an address from the name of a link: a path, a URL, an IP
// address, or HOST:PORT.
func address(s string) (endpoint string, ok bool) {
	if strings.HasPrefix(s, "/") || strings.Contains(s, "://") {
		return s, true
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return "tcp://" + net.JoinHostPort(s, "502"), true
	}
	if host, port, err := net.SplitHostPort(s); err == nil && host != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err == nil {
			return "tcp://" + s, true
		}
	}
	return s, false
}

// same says whether two endpoints are one: the same file behind a path, the
// same host and port.
func same(a, b string) bool {
	if strings.HasPrefix(a, "/") && strings.HasPrefix(b, "/") {
		ra, erra := filepath.EvalSymlinks(a)
		rb, errb := filepath.EvalSymlinks(b)
		return a == b || erra == nil && errb == nil && ra == rb
	}
	port := func(s string) string {
		rest, tcp := strings.CutPrefix(s, "tcp://")
		if _, _, err := net.SplitHostPort(rest); tcp && err != nil {
			return "tcp://" + net.JoinHostPort(strings.Trim(rest, "[]"), "502")
		}
		return s
	}
	return strings.EqualFold(port(a), port(b))
}

// searched are the speeds and parities of a search, the usual ones first.
var (
	searchedBauds    = []int{9600, 19200, 115200, 38400, 57600, 4800, 2400, 1200}
	searchedParities = []string{"none", "even", "odd"}
)

// place lists every setting at which an endpoint is to be opened.
func (a *asking) place(t *target, endpoint string) error {
	t.where = endpoint
	if strings.HasPrefix(endpoint, "tcp://") {
		for _, framing := range split(a.framing, "tcp", []string{"tcp", "rtu"}) {
			t.places = append(t.places, place.Place{Endpoint: endpoint, Driver: "modbus-" + framing, Serial: tty.Default(), Limit: a.limit})
		}
		return t.known()
	}
	var bauds []int
	for _, s := range split(a.baud, "9600", texts(searchedBauds)) {
		n, err := strconv.Atoi(s)
		if err != nil {
			return console.Usage("--baud %q: write a speed such as 9600, some with commas, or any", s)
		}
		bauds = append(bauds, n)
	}
	for _, baud := range bauds {
		for _, framing := range split(a.framing, "rtu", []string{"rtu"}) {
			usual, bits := "none", 8
			if framing == "ascii" {
				usual, bits = "even", 7
			}
			for _, parity := range split(a.parity, usual, searchedParities) {
				s := tty.Default()
				s.Baud, s.Parity, s.StopBits, s.DataBits = baud, parity, a.stop, bits
				t.places = append(t.places, place.Place{Endpoint: endpoint, Driver: "modbus-" + framing, Serial: s, Limit: a.limit})
			}
		}
	}
	return t.known()
}

// known refuses settings that no driver takes.
func (t *target) known() error {
	for _, p := range t.places {
		if _, ok := drivers.Lookup(p.Driver); !ok {
			return console.Usage("--framing %s: use tcp, rtu or ascii, or for a scan auto", strings.TrimPrefix(p.Driver, "modbus-"))
		}
		if faults := p.Serial.Faults(); len(faults) > 0 {
			return console.Usage("--%s: %s (%s)", strings.ReplaceAll(faults[0].Path, "_", "-"), faults[0].Text, faults[0].Hint)
		}
		if p.Driver == "modbus-tcp" && strings.HasPrefix(p.Endpoint, "/") {
			return console.Usage("--framing tcp: a serial port speaks rtu or ascii")
		}
	}
	return nil
}

// split takes a list with commas apart; "any" and "auto" are all.
func split(s, fallback string, all []string) []string {
	switch s {
	case "":
		return []string{fallback}
	case "any", "auto":
		return all
	}
	return strings.Split(s, ",")
}

func texts(list []int) []string {
	var out []string
	for _, n := range list {
		out = append(out, strconv.Itoa(n))
	}
	return out
}

// setting is a place in words: 9600 8N1, or the framing on TCP.
func setting(p *place.Place) string {
	framing := map[string]string{"modbus-tcp": "Modbus TCP", "modbus-rtu": "RTU", "modbus-ascii": "ASCII"}[p.Driver]
	if strings.HasPrefix(p.Endpoint, "tcp://") {
		return framing + " framing"
	}
	return fmt.Sprintf("%s at %d baud %d%s%d", framing, p.Serial.Baud, p.Serial.DataBits, strings.ToUpper(p.Serial.Parity[:1]), p.Serial.StopBits)
}

// through asks over the gateway's control socket.
type through struct {
	socket console.Socket
	link   string
}

// Probe asks the gateway to lend the link.
func (t through) Probe(ctx context.Context, q ask.Query) (ask.Answer, error) {
	in := map[string]any{"link": t.link, "unit": q.Unit, "request": hex.EncodeToString(q.Request), "limit_seconds": q.Limit.Seconds()}
	var out struct {
		Outcome string  `json:"outcome"`
		Code    int     `json:"code"`
		Text    string  `json:"text"`
		Data    string  `json:"data"`
		At      int64   `json:"at"`
		Took    float64 `json:"took_seconds"`
	}
	if err := t.socket.Call(ctx, http.MethodPost, "/api/probe", in, &out); err != nil {
		var refused *console.Refusal
		if errors.As(err, &refused) && refused.Code == "link_down" {
			return ask.Answer{}, fmt.Errorf("%w: %w", drivers.ErrLinkDown, refused)
		}
		return ask.Answer{}, err
	}
	data, err := hex.DecodeString(out.Data)
	if err != nil {
		return ask.Answer{}, fmt.Errorf("the gateway's answer: %w", err)
	}
	return ask.Answer{
		Outcome: ask.Outcome(out.Outcome), Code: out.Code, Text: out.Text, Data: data,
		At: time.UnixMilli(out.At).UTC(), Took: time.Duration(out.Took * float64(time.Second)),
	}, nil
}

// own asks over a connection of its own, which it opens again when it is gone.
type own struct {
	place  place.Place
	conn   drivers.Conn // nil: not open
	opened bool         // it has been open once
}

// Probe asks on the connection.
func (o *own) Probe(ctx context.Context, q ask.Query) (ask.Answer, error) {
	if o.conn == nil {
		c, err := o.place.Open(ctx)
		if err != nil && !o.opened {
			return ask.Answer{}, errors.New(err.Error()) // a port that never was open is no link that comes back
		}
		if err != nil {
			return ask.Answer{}, err
		}
		o.conn, o.opened = c, true
	}
	p, ok := o.conn.(ask.Prober)
	if !ok {
		return ask.Answer{}, fmt.Errorf("driver %s cannot be asked for what no tag names", o.place.Driver)
	}
	a, err := p.Probe(ctx, q)
	if errors.Is(err, drivers.ErrLinkDown) {
		o.close()
	}
	return a, err
}

func (o *own) close() {
	if o.conn != nil {
		_ = o.conn.Close() // only reads went over it: nothing can be lost
		o.conn = nil
	}
}

// use opens one setting of the target, nil for the gateway's link, and calls
// f with it.
func (t *target) use(a *asking, p *place.Place, f func(*find.Link) error) error {
	if t.link != "" {
		return f(&find.Link{Asker: through{t.socket, t.link}, Limit: a.limit, Pace: a.pace, Tries: a.tries})
	}
	o := &own{place: *p}
	defer o.close()
	return f(&find.Link{Asker: o, Limit: a.limit, Pace: a.pace, Tries: a.tries})
}

// one opens the target where there is but one setting.
func (t *target) one(a *asking, f func(*find.Link) error) error {
	if t.link != "" {
		return t.use(a, nil, f)
	}
	if len(t.places) != 1 {
		return console.Usage("say one speed, parity and framing; only a scan searches them")
	}
	return t.use(a, &t.places[0], f)
}
