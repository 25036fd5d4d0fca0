package tagmap

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"fieldferry/configs/tree"
)

// run is one expansion of an `each` entry or of a profile: faults of the same
// place in another run are told once.
type run struct {
	entry *tree.Node
	n     int
}

// each calls f with a device entry, or with a copy for every number of its
// `each`.
func (b *builder) each(n *tree.Node, f func(*tree.Node)) {
	at := n.Get("each")
	if at == nil {
		f(n)
		return
	}
	numbers := b.numbers(at)
	if len(numbers) == 0 {
		return
	}
	if name := n.Get("name"); name != nil && name.Kind == tree.Scalar && !numbered.MatchString(name.Text) {
		b.d.Report.Add(name, fmt.Sprintf("every device of `each` would be named %q", name.Text), "put {n} or {n:02} into the name")
		return
	}
	if len(b.devices)+len(numbers) > maxDevices {
		b.d.Report.Add(at, fmt.Sprintf("the gateway would have more than %d devices", maxDevices), "")
		return
	}
	for _, i := range numbers {
		f(n.Expand(run{n, i}, func(s string) (string, bool) { return fillNumber(s, i) }))
	}
}

var (
	eachPart = regexp.MustCompile(`^\s*([0-9]{1,6})\s*(?:\.\.\s*([0-9]{1,6})\s*)?$`)
	numbered = regexp.MustCompile(`\{n(?::0([1-9]))?\}`)
)

const eachForm = "write 1..20, or [1, 2, 5..9]"

// numbers reads the value of `each`: 1..20, or a list of numbers and ranges.
func (b *builder) numbers(at *tree.Node) []int {
	items := []*tree.Node{at}
	if at.Kind == tree.Sequence {
		items = at.Items
	}
	var out []int
	taken := map[int]bool{}
	for _, it := range items {
		if it.Kind == tree.Broken {
			continue
		}
		m := eachPart.FindStringSubmatch(it.Text)
		if it.Kind != tree.Scalar || m == nil {
			b.d.Report.Add(it, fmt.Sprintf("%s is no range of numbers", it), eachForm)
			return nil
		}
		low, _ := strconv.Atoi(m[1])
		high := low
		if m[2] != "" {
			high, _ = strconv.Atoi(m[2])
		}
		if high < low {
			b.d.Report.Add(it, fmt.Sprintf("the range %s runs backwards", it.Text), fmt.Sprintf("write %d..%d", high, low))
			return nil
		}
		if high-low >= maxDevices {
			b.d.Report.Add(it, fmt.Sprintf("%d devices are too many: at most %d", high-low+1, maxDevices), "")
			return nil
		}
		for i := low; i <= high; i++ {
			if taken[i] {
				b.d.Report.Add(it, fmt.Sprintf("%d stands twice in `each`", i), "")
				return nil
			}
			taken[i] = true
			out = append(out, i)
		}
	}
	return out
}

// fillNumber puts a number for {n}, and with leading zeros for {n:02}.
func fillNumber(s string, n int) (string, bool) {
	if !strings.Contains(s, "{n") {
		return s, false
	}
	out := numbered.ReplaceAllStringFunc(s, func(p string) string {
		width, _ := strconv.Atoi(numbered.FindStringSubmatch(p)[1])
		return fmt.Sprintf("%0*d", width, n)
	})
	return out, out != s
}

var parameter = regexp.MustCompile(`\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// fillParams puts the device's parameters for {name}. Others stay.
func fillParams(s string, params map[string]string) (string, bool) {
	if !strings.Contains(s, "{") {
		return s, false
	}
	out := parameter.ReplaceAllStringFunc(s, func(p string) string {
		if v, ok := params[p[1:len(p)-1]]; ok {
			return v
		}
		return p
	})
	return out, out != s
}
