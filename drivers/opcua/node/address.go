package node

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/gopcua/opcua/ua"
)

// Address is one node as the tag map names it. The zero Address is none.
type Address struct {
	uri   string // namespace URI; empty: by index
	index uint16 // namespace index where uri is empty
	kind  byte   // 'i', 's', 'g' or 'b'
	num   uint32 // of i=
	text  string // of s=, g=; the raw bytes of b=
}

// ErrNamespace is wrapped by Resolve's error when the server has no namespace
// of the address's URI.
var ErrNamespace = errors.New("unknown namespace")

// maxID is the longest identifier that OPC UA allows (Part 3, 8.2.4).
const maxID = 4096

var (
	guidForm  = regexp.MustCompile(`^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$`)
	aliasForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]*$`)
	// idStart finds where the identifier of nsu=<uri>;s=... begins: a URI
	// may hold a semicolon of its own.
	idStart = regexp.MustCompile(`;[isgb]=`)
)

// Parse reads an address. aliases are the link's namespaces: alias to URI.
// The error says what is wrong and needs no context but the tag.
func Parse(text string, aliases map[string]string) (Address, error) {
	switch {
	case text == "":
		return Address{}, errors.New("no address")
	case strings.TrimSpace(text) != text:
		return Address{}, fmt.Errorf("address %q begins or ends with a space", text)
	case strings.HasPrefix(text, "svr="):
		return Address{}, fmt.Errorf("address %q names another server: only nodes of the link's own server can be read", text)
	case strings.HasPrefix(text, "nsu="):
		return parseURI(text)
	case strings.HasPrefix(text, "ns="):
		return parseIndex(text)
	case len(text) > 1 && text[1] == '=':
		var a Address
		return a, a.identify(text)
	}
	return parseAlias(text, aliases)
}

func parseURI(text string) (a Address, err error) {
	rest := text[len("nsu="):]
	at := idStart.FindStringIndex(rest)
	if at == nil {
		return a, fmt.Errorf("address %q has no identifier after the namespace: nsu=<uri>;s=<name>", text)
	}
	if a.uri = rest[:at[0]]; a.uri == "" {
		return a, fmt.Errorf("address %q has an empty namespace URI", text)
	}
	return a, a.identify(rest[at[0]+1:])
}

func parseIndex(text string) (a Address, err error) {
	num, id, found := strings.Cut(text[len("ns="):], ";")
	if !found {
		return a, fmt.Errorf("address %q has no identifier after the namespace: ns=2;s=<name>", text)
	}
	index, err := strconv.ParseUint(num, 10, 16)
	if err != nil {
		return a, fmt.Errorf("address %q: the namespace index %q is not a number from 0 to 65535", text, num)
	}
	a.index = uint16(index)
	return a, a.identify(id)
}

func parseAlias(text string, aliases map[string]string) (a Address, err error) {
	alias, id, found := strings.Cut(text, ":")
	if !found || CheckAlias(alias) != nil {
		return a, fmt.Errorf("address %q is not a node id: write ns=2;s=<name>, nsu=<uri>;s=<name> or <alias>:<name>", text)
	}
	uri, known := aliases[alias]
	if !known {
		return a, fmt.Errorf("address %q: the link's namespaces have no alias %q", text, alias)
	}
	a.uri = uri
	if len(id) > 1 && id[1] == '=' && strings.IndexByte("isgb", id[0]) >= 0 {
		return a, a.identify(id)
	}
	return a, a.identify("s=" + id)
}

// CheckAlias says whether a name may be an alias of a namespace.
func CheckAlias(name string) error {
	switch {
	case !aliasForm.MatchString(name):
		return fmt.Errorf("alias %q must begin with a letter and hold only letters, digits, dot, dash and underscore", name)
	case name == "ns" || name == "nsu" || name == "svr":
		return fmt.Errorf("alias %q is a word of node ids", name)
	}
	return nil
}

// identify reads the part that begins with i=, s=, g= or b=.
func (a *Address) identify(id string) error {
	if len(id) < 2 || id[1] != '=' {
		return fmt.Errorf("identifier %q must begin with i=, s=, g= or b=", id)
	}
	a.kind = id[0]
	body := id[2:]
	if body == "" {
		return fmt.Errorf("identifier %q is empty", id)
	}
	if len(body) > maxID {
		return fmt.Errorf("identifier of %d bytes is longer than the %d that OPC UA allows", len(body), maxID)
	}
	switch a.kind {
	case 'i':
		n, err := strconv.ParseUint(body, 10, 32)
		if err != nil {
			return fmt.Errorf("identifier %q is not a number from 0 to 4294967295", id)
		}
		a.num = uint32(n)
	case 's':
		a.text = body
	case 'g':
		if !guidForm.MatchString(body) {
			return fmt.Errorf("identifier %q is not a GUID such as g=72962B91-FA75-4AE6-8D28-B404DC7DAF63", id)
		}
		a.text = strings.ToUpper(body)
	case 'b':
		raw, err := base64.StdEncoding.DecodeString(body)
		if err != nil || len(raw) == 0 {
			return fmt.Errorf("identifier %q is not base64", id)
		}
		a.text = string(raw)
	default:
		return fmt.Errorf("identifier %q must begin with i=, s=, g= or b=", id)
	}
	return nil
}

// Resolve turns a into a node id with the namespace array of the session. An
// index is taken as written: only the server knows whether it has a node
// there.
func (a Address) Resolve(namespaces []string) (*ua.NodeID, error) {
	ns := a.index
	if a.uri != "" {
		i, err := indexOf(namespaces, a.uri)
		if err != nil {
			return nil, err
		}
		ns = i
	}
	switch a.kind {
	case 'i':
		return ua.NewNumericNodeID(ns, a.num), nil
	case 's':
		return ua.NewStringNodeID(ns, a.text), nil
	case 'g':
		return ua.NewGUIDNodeID(ns, a.text), nil
	case 'b':
		return ua.NewByteStringNodeID(ns, []byte(a.text)), nil
	}
	return nil, errors.New("no address")
}

func indexOf(namespaces []string, uri string) (uint16, error) {
	for i, n := range namespaces {
		if n == uri && i <= 0xffff {
			return uint16(i), nil
		}
	}
	return 0, fmt.Errorf("%w: the server has no namespace %q", ErrNamespace, uri)
}

// String writes a so that Parse reads it again without aliases.
func (a Address) String() string {
	var b strings.Builder
	switch {
	case a.kind == 0:
		return ""
	case a.uri != "":
		fmt.Fprintf(&b, "nsu=%s;", a.uri)
	case a.index != 0:
		fmt.Fprintf(&b, "ns=%d;", a.index)
	}
	b.WriteByte(a.kind)
	b.WriteByte('=')
	switch a.kind {
	case 'i':
		fmt.Fprintf(&b, "%d", a.num)
	case 'b':
		b.WriteString(base64.StdEncoding.EncodeToString([]byte(a.text)))
	default:
		b.WriteString(a.text)
	}
	return b.String()
}
