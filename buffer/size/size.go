// Package size reads and writes numbers of bytes as people do. It is what
// buffer.Size is made of.
package size

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a number of bytes, written 4GiB, 512MiB, 64KiB, 10GB, 10MB, 10kB or
// as plain bytes.
type Bytes int64

var sizeUnits = []struct {
	name  string
	bytes float64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}, {"", 1},
}

// UnmarshalText reads a size.
func (s *Bytes) UnmarshalText(text []byte) error {
	for _, u := range sizeUnits {
		num, ok := strings.CutSuffix(string(text), u.name)
		if !ok {
			continue
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(num), 64)
		if err != nil || f*u.bytes > math.MaxInt64/2 || f*u.bytes < 0 || f != f {
			break
		}
		*s = Bytes(f * u.bytes)
		return nil
	}
	return fmt.Errorf("%q is not a size: write it as 4GiB, 512MiB or 10MB", text)
}

// MarshalText writes what UnmarshalText reads.
func (s Bytes) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Bytes) String() string {
	for _, u := range sizeUnits[:4] {
		if n := Bytes(u.bytes); s >= n && s%n == 0 {
			return strconv.FormatInt(int64(s/n), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}
