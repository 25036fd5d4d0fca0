package detect

import (
	"math"
	"strconv"
	"strings"
)

// display is what somebody has read from the device.
type display struct {
	text  string
	isNum bool
	n     float64
	unit  float64 // of its last digit
	digit int     // how many significant digits it has
}

// shown reads what a user typed: a number, with a comma or a point and a unit
// behind it, or a text.
func shown(s string) display {
	d := display{text: strings.TrimSpace(s)}
	num := strings.ReplaceAll(strings.TrimRight(d.text, " %°abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ³²/µΩ"), ",", ".")
	n, err := strconv.ParseFloat(num, 64)
	if err != nil || num == "" || math.IsInf(n, 0) || math.IsNaN(n) || strings.ContainsAny(num, "xXpP_") {
		return d
	}
	d.isNum, d.n, d.unit = true, n, 1
	if _, decimals, ok := strings.Cut(num, "."); ok {
		d.unit = math.Pow10(-len(decimals))
	}
	d.digit = len(strings.TrimLeft(strings.Map(onlyDigits, num), "0"))
	return d
}

func onlyDigits(r rune) rune {
	if r >= '0' && r <= '9' {
		return r
	}
	return -1
}

// compare tells how a scaled value agrees with the display.
func (d *display) compare(v float64) Match {
	if !d.isNum {
		return MatchNone
	}
	diff := math.Abs(v - d.n)
	// The slack covers what multiplying by 0.1 and a float of 32 bits cost.
	slack := 1e-6*math.Abs(d.n) + 1e-12
	switch {
	case diff <= d.unit/2+slack:
		return MatchExact
	case diff < d.unit+slack && math.Abs(v) > math.Abs(d.n) && v*d.n >= 0:
		return MatchCut
	case d.digit >= 2 && diff <= 0.005*math.Abs(d.n):
		return MatchNear
	}
	return MatchNone
}

// evidence is what an agreement is worth: the more digits agree, the less is
// it an accident. A float that agrees has more to get wrong than an integer.
func (d *display) evidence(m Match, kind string, n float64) float64 {
	digits := float64(d.digit)
	if n == 0 {
		digits = 0 // zero is everywhere
	}
	bonus := 0.0
	if isFloat(kind) {
		bonus = 1
	}
	switch m {
	case MatchExact:
		return 2 + 1.5*digits + bonus
	case MatchCut:
		return 1 + 1.5*digits + bonus
	case MatchNear:
		return digits + bonus
	}
	return 0
}

// compareText tells how a text agrees with the display.
func (d *display) compareText(s string) Match {
	switch {
	case d.text == "":
		return MatchNone
	case strings.EqualFold(s, d.text):
		return MatchExact
	case len(d.text) >= minText && strings.Contains(strings.ToLower(s), strings.ToLower(d.text)):
		return MatchNear
	}
	return MatchNone
}

func (d *display) textEvidence(m Match) float64 {
	switch m {
	case MatchExact:
		return 20
	case MatchNear:
		return 10
	}
	return 0
}
