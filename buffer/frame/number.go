package frame

import "math"

var pow10 = [8]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7}

// decimal64 writes f as digits and a power of ten where that gives back
// exactly f and is shorter than its eight bytes: 22.5 takes two.
func decimal64(f float64) (uint64, bool) {
	for e, p := range pow10 {
		m := math.Round(f * p)
		if math.Abs(m) >= 1<<44 || m != m {
			return 0, false
		}
		if m/p == f && (m != 0 || !math.Signbit(f)) {
			return zigzag(int64(m))<<3 | uint64(e), true
		}
	}
	return 0, false
}

// decimal32 is decimal64 for the four bytes of a single.
func decimal32(f float32) (uint64, bool) {
	for e, p := range pow10 {
		m := math.Round(float64(f) * p)
		if math.Abs(m) >= 1<<17 || m != m {
			return 0, false
		}
		if float32(m/p) == f && (m != 0 || !math.Signbit(float64(f))) {
			return zigzag(int64(m))<<3 | uint64(e), true
		}
	}
	return 0, false
}

func undecimal(d uint64) float64 { return float64(unzigzag(d>>3)) / pow10[d&7] }

func zigzag(i int64) uint64   { return uint64(i)<<1 ^ uint64(i>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }
