package opcua

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gopcua/opcua/ua"

	"fieldferry/drivers"
	"fieldferry/drivers/opcua/node"
	"fieldferry/drivers/opcua/value"
	"fieldferry/tag"
)

// policies are the security policies by the word that a user writes.
var policies = map[string]string{
	"none":                  ua.SecurityPolicyURINone,
	"Basic256Sha256":        ua.SecurityPolicyURIBasic256Sha256,
	"Aes128_Sha256_RsaOaep": ua.SecurityPolicyURIAes128Sha256RsaOaep,
	"Aes256_Sha256_RsaPss":  ua.SecurityPolicyURIAes256Sha256RsaPss,
}

// modes are the security modes of a secured policy.
var modes = map[string]ua.MessageSecurityMode{
	"":                 ua.MessageSecurityModeSignAndEncrypt,
	"sign-and-encrypt": ua.MessageSecurityModeSignAndEncrypt,
	"sign":             ua.MessageSecurityModeSign,
}

// broken are policies that servers still offer and nobody should use.
var broken = []string{"Basic128Rsa15", "Basic256"}

// checker collects the faults of a link.
type checker struct {
	device *tag.Device
	tag    *tag.Tag
	faults []drivers.Fault
}

func (c *checker) add(path, hint, format string, args ...any) {
	c.faults = append(c.faults, drivers.Fault{Device: c.device, Tag: c.tag,
		Fault: tag.Fault{Path: path, Text: fmt.Sprintf(format, args...), Hint: hint}})
}

// check finds every fault of l.
func check(l *tag.Link) []drivers.Fault {
	var c checker
	o := linkOptions(l)
	c.endpoint(l.Endpoint)
	c.security(o.Security)
	c.auth(o)
	c.namespaces(o.Namespaces)
	if o.Timeout < 100*time.Millisecond || o.Timeout > 5*time.Minute {
		c.add("timeout", "5s suits most servers", "timeout %s is not between 100ms and 5m", o.Timeout)
	}
	for _, d := range l.Devices {
		for _, t := range d.Tags {
			c.device, c.tag = d, t
			c.oneTag(t, o.Namespaces)
		}
	}
	return c.faults
}

func (c *checker) endpoint(e string) {
	const hint = "write opc.tcp://host:4840"
	u, err := url.Parse(e)
	switch {
	case e == "":
		c.add("endpoint", hint, "no endpoint")
		return
	case err != nil || u.Opaque != "":
		c.add("endpoint", hint, "endpoint %q is not a URL", e)
		return
	case u.Scheme != "opc.tcp":
		c.add("endpoint", hint, "endpoint %q: %q is not opc.tcp, the only transport of this driver", e, u.Scheme)
	}
	switch port, err := strconv.ParseUint(u.Port(), 10, 16); {
	case u.Hostname() == "":
		c.add("endpoint", hint, "endpoint %q has no host", e)
	case u.Port() == "":
		c.add("endpoint", "the usual port of OPC UA is 4840", "endpoint %q has no port", e)
	case err != nil || port == 0:
		c.add("endpoint", hint, "endpoint %q: port %q is not between 1 and 65535", e, u.Port())
	}
	if u.User != nil {
		c.add("endpoint", "use auth.username and auth.password_file", "endpoint %q holds a user name", u.Redacted())
	}
}

func (c *checker) security(s Security) {
	policy, known := policies[s.Policy]
	words := strings.Join(slices.Sorted(maps.Keys(policies)), ", ")
	switch {
	case s.Policy == "":
		c.add("security.policy", "Basic256Sha256 suits most servers; none sends everything readable and changeable by anyone on the network",
			"security.policy is not set: choose one of %s", words)
	case slices.Contains(broken, s.Policy):
		c.add("security.policy", "use "+words, "policy %q is broken and not used by this gateway", s.Policy)
	case !known:
		c.add("security.policy", "use "+words, "unknown security policy %q", s.Policy)
	}
	if policy == ua.SecurityPolicyURINone || !known {
		c.insecure(s, known)
		return
	}
	if _, ok := modes[s.Mode]; !ok {
		c.add("security.mode", "use sign or sign-and-encrypt", "unknown mode %q for policy %s", s.Mode, s.Policy)
	}
	if s.ServerCertFile == "" {
		c.add("security.server_cert_file", "export the certificate from the server and name the file here",
			"policy %s needs the server's certificate: it is never trusted on first use", s.Policy)
	}
	if s.OwnCertDir == "" {
		c.add("security.own_cert_dir", "name a directory; the certificate is made there on first use, and the server must be told to trust own.der",
			"policy %s needs a certificate of ours", s.Policy)
	}
}

// insecure finds settings that do nothing without security.
func (c *checker) insecure(s Security, known bool) {
	if !known {
		return
	}
	if s.Mode != "" && s.Mode != "none" {
		c.add("security.mode", "leave it out, or choose another policy", "mode %q is not possible with policy none", s.Mode)
	}
	if s.ServerCertFile != "" {
		c.add("security.server_cert_file", "leave it out, or choose another policy", "a server certificate does nothing with policy none")
	}
	if s.OwnCertDir != "" {
		c.add("security.own_cert_dir", "leave it out, or choose another policy", "an own certificate does nothing with policy none")
	}
}

func (c *checker) auth(o *LinkOptions) {
	a := o.Auth
	switch {
	case a.Username == "" && a.PasswordFile != "":
		c.add("auth.username", "", "a password file without a user name")
	case a.Username != "" && a.PasswordFile == "":
		c.add("auth.password_file", "name a file that only the gateway may read", "user %q has no password file", a.Username)
	}
	if a.Username != "" && o.Security.Policy == "none" && !a.AllowUnencrypted {
		c.add("auth", "choose another security.policy, or set auth.allow_unencrypted: true",
			"with policy none the password of user %q could be read on the network", a.Username)
	}
	if a.AllowUnencrypted && a.Username == "" {
		c.add("auth.allow_unencrypted", "leave it out", "allow_unencrypted does nothing without a user name")
	}
}

func (c *checker) namespaces(m map[string]string) {
	for _, alias := range slices.Sorted(maps.Keys(m)) {
		path := "namespaces." + alias
		if err := node.CheckAlias(alias); err != nil {
			c.add(path, "", "%v", err)
		}
		if m[alias] == "" {
			c.add(path, "", "alias %q has no namespace URI", alias)
		}
	}
}

func (c *checker) oneTag(t *tag.Tag, aliases map[string]string) {
	if _, err := node.Parse(t.Address, aliases); err != nil {
		c.add("address", addressHint(t.Address, aliases), "%v", err)
	}
	if _, err := value.ParseType(t.Type); err != nil {
		c.add("type", "leave it out to take what the server has, or use int16, float64, string, bool, int32[] ...", "%v", err)
	}
	o := tagOptions(t)
	if o.Mode != ModePoll && o.Mode != ModeSubscribe {
		c.add("mode", "use poll or subscribe", "unknown mode %q", o.Mode)
	}
	c.subscription(o)
}

func addressHint(address string, aliases map[string]string) string {
	if len(aliases) > 0 && strings.Contains(address, ":") {
		return "the aliases are " + strings.Join(slices.Sorted(maps.Keys(aliases)), ", ")
	}
	return `such as ns=2;s=Line.Speed, nsu=http://plant/ua;i=1001 or i=2258`
}

func (c *checker) subscription(o *TagOptions) {
	s := o.Subscription // checked for polled tags too: it may be inherited by both kinds
	durations := []struct {
		path string
		d    time.Duration
	}{{"subscription.publishing", s.Publishing}, {"subscription.keep_alive", s.KeepAlive}}
	for _, x := range durations {
		if x.d != 0 && (x.d < 10*time.Millisecond || x.d > time.Hour) {
			c.add(x.path, "", "%s is not between 10ms and 1h", x.d)
		}
	}
	if s.Queue < 0 || s.Queue > mostQueue {
		c.add("subscription.queue", "", "queue %d is not between 1 and %d", s.Queue, mostQueue)
	}
}
