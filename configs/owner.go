package configs

import (
	"strings"

	"fieldferry/configs/tree"
)

// Owner tells which device, tag and key a path in a tag map belongs to, so
// that a fault can be shown at its field; empty as far as it is none.
func Owner(tagMap []byte, path string) (device, name, key string) {
	n := tree.Parse(TagMapFile, tagMap, &tree.Report{}).Root
	if n == nil {
		return "", "", ""
	}
	rest := path
	for rest != "" && n != nil {
		var step string
		step, rest = cutStep(rest)
		next, left := n.Locate(step)
		if left != "" || next == nil {
			return device, name, lastKey(path)
		}
		n = next
		switch {
		case strings.HasPrefix(step, "devices["):
			device = textOf(n.Get("name"))
		case strings.HasPrefix(step, "tags["):
			name = textOf(n.Get("name"))
		}
	}
	return device, name, lastKey(path)
}

func cutStep(path string) (step, rest string) {
	step, rest, _ = strings.Cut(path, ".")
	return step, rest
}

func lastKey(path string) string {
	key := path[strings.LastIndexByte(path, '.')+1:]
	if strings.Contains(key, "[") {
		return ""
	}
	return key
}

func textOf(n *tree.Node) string {
	if n == nil {
		return ""
	}
	return n.Text
}
