package configs

import (
	"fmt"
	"net"
	"strings"

	"fieldferry/configs/tree"
	"fieldferry/mapping/payload"
	"fieldferry/mqtt/wire"
)

// rivals refuses enabled uplinks that disturb each other at a broker: with the
// same client id they throw each other out for ever, and with the same root
// both carry out every command and answer for each other's status.
func (l *loader) rivals() {
	for i, u := range l.uplinks {
		for _, first := range l.uplinks[:i] {
			if u.config.Name != first.config.Name { // else reported already
				l.rival(first, u)
			}
		}
	}
}

func (l *loader) rival(first, u uplink) {
	broker := commonBroker(first.config.Brokers, u.config.Brokers)
	if broker == "" {
		return
	}
	if id := common(l.clientIDs(first), l.clientIDs(u)); id != "" {
		l.report.AddMeaning(u.writes("client_id"), fmt.Sprintf("the client id %q is that of the uplink %q at %s already: the broker would end one connection for the other", id, first.config.Name, broker),
			`use {uplink} in it, as in "{gateway}-{uplink}"`)
	}
	if root := l.root(u); root != "" && root == l.root(first) {
		l.report.AddMeaning(u.writes("root"), fmt.Sprintf("the root %q is that of the uplink %q at %s already: both would write the same topics and take the same commands", root, first.config.Name, broker),
			"give each uplink of a broker its own root")
	}
}

// writes is where an uplink says a setting; where it does not, its name.
func (u uplink) writes(key string) *tree.Node {
	for _, k := range []string{key, "name"} {
		if n := u.node.Get(k); n != nil {
			return n
		}
	}
	return u.node
}

// clientIDs are the ids that an uplink connects with; none when its template
// is faulty.
func (l *loader) clientIDs(u uplink) []string {
	ids, err := u.config.ClientIDs(l.g.Name)
	if err != nil {
		return nil
	}
	return ids
}

// root is what an uplink's topics begin with; empty when it is faulty.
func (l *loader) root(u uplink) string {
	e, err := payload.Compile(u.config.Payload, payload.Vars{Gateway: l.g.Name, Uplink: u.config.Name, Labels: l.g.Labels})
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(e.Own(), "/_/")
}

// commonBroker is the host:port that is in both lists; empty when none is.
func commonBroker(a, b []string) string {
	return common(hostPorts(a), hostPorts(b))
}

func hostPorts(urls []string) []string {
	var out []string
	for _, s := range urls {
		if b, err := wire.ParseBroker(s); err == nil {
			out = append(out, net.JoinHostPort(strings.ToLower(b.Host), b.Port))
		}
	}
	return out
}

// common is the first element of b that is in a, too; empty when none is.
func common(a, b []string) string {
	for _, x := range b {
		for _, y := range a {
			if x == y {
				return x
			}
		}
	}
	return ""
}
