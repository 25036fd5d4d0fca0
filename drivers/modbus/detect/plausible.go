package detect

import (
	"math"
	"unicode"

	"fieldferry/drivers/modbus/layout"
)

// plausible tells how likely a device holds such a value, and whether it is
// worth showing at all.
func (q *Question) plausible(r *Reading, k *kind) (score float64, notes []string, ok bool) {
	n, numeric := r.Value.Number()
	if !numeric {
		return 0, nil, false
	}
	if isFloat(k.name) {
		score, ok = plausibleFloat(n)
	} else {
		score, ok = q.plausibleInt(r, k, n)
	}
	if !ok {
		return 0, nil, false
	}
	off, note := q.offset(r)
	if note != "" {
		notes = append(notes, note)
	}
	if (r.number-q.begin())%r.length != 0 {
		off -= 0.4 // long values mostly lie one behind the other
	}
	return score + off, notes, true
}

// plausibleFloat: physical values are neither tiny nor huge. A wrong byte
// order moves bits of the mantissa into the exponent, which gives just that.
func plausibleFloat(n float64) (float64, bool) {
	a := math.Abs(n)
	switch {
	case math.IsNaN(n) || math.IsInf(n, 0):
		return 0, false
	case a == 0:
		return -2, true
	case a < 1e-9 || a > 1e15:
		return 0, false
	case a < 1e-4 || a > 1e9:
		return -4, true
	case a < 1e-2 || a > 1e7:
		return 0, true
	}
	return 2.5, true
}

// plausibleInt: what fills all the bits of a long integer is seldom a value,
// and what leaves its upper half empty is as likely a short one beside it.
func (q *Question) plausibleInt(r *Reading, k *kind, n float64) (float64, bool) {
	a, bits := math.Abs(n), 16*k.registers
	used := 0.0
	if a > 0 {
		used = math.Log2(a + 1)
	}
	switch {
	case (k.name == "bcd16" || k.name == "bcd32") && a < 10:
		return 0, false // it reads like the plain number
	case r.Spec.Order == "BA" && a == 0:
		return 0, false
	case a == 0:
		return -2 - float64(k.registers)/2, true
	case bits == 64 && used > 56:
		return 0, false
	case bits == 64 && used > 48:
		return -5, true
	case bits >= 32 && used <= 16:
		return -1.5, true
	case bits >= 32 && used > 30:
		return -3, true
	case bits == 16 && n > 60000:
		return -2, true
	case bits == 16 && n < -10000:
		return -1.5, true
	case bits == 16 && n < 0:
		return 0, true
	}
	return 0.5, true
}

// begin is where values are expected to begin.
func (q *Question) begin() int {
	if q.Count > 0 {
		return q.Asked
	}
	return q.First
}

// offset says how a reading lies to the registers that the manual names.
func (q *Question) offset(r *Reading) (float64, string) {
	asked, count := q.Asked, q.Count
	if count == 0 {
		return 0, ""
	}
	switch {
	case r.number == asked-1:
		return -1, "one register before those asked for: the manual counts from one"
	case r.number < asked:
		return -4, "before the registers asked for"
	case r.number == asked+1 && r.number+r.length > asked+count:
		return -1, "one register behind those asked for: the device counts from one and the address from zero, once too often"
	case r.number+r.length > asked+count:
		return -1, "reaches behind the registers asked for"
	}
	return 0, ""
}

// minText is how many characters make a text rather than two numbers.
const minText = 4

// appendTexts tries texts: in both byte orders, each as long as it goes.
func (q *Question) appendTexts(all []Reading, seen display) []Reading {
	for _, o := range []struct {
		name  string
		prior float64
	}{{"", 0}, {"BA", -1}} {
		for i := 0; i < len(q.Data)/2; {
			n := q.textAt(i, o.name == "BA")
			if n == 0 {
				i++
				continue
			}
			all = q.appendText(all, i, n, o.name, o.prior, seen)
			i += n
		}
	}
	return all
}

func (q *Question) appendText(all []Reading, i, n int, order string, prior float64, seen display) []Reading {
	spec := layout.Spec{Address: q.address(i), Type: "string", Order: order, Length: n}
	l, faults := spec.Parse()
	if len(faults) > 0 {
		return all
	}
	v, err := l.Decode(q.Data, i)
	text, isText := v.Text()
	if err != nil || !isText || len(text) < minText {
		return all
	}
	r := Reading{Spec: spec, Scale: 1, Value: v, number: q.First + i, length: n}
	off, note := q.offset(&r)
	if note != "" {
		r.Notes = append(r.Notes, note)
	}
	r.Match = seen.compareText(text)
	r.Score = prior + off + wordy(text) + seen.textEvidence(r.Match)
	return append(all, r)
}

// textAt is how many registers a text at the i-th has; 0 where none begins.
func (q *Question) textAt(i int, swapped bool) int {
	n := 0
	for ; 2*(i+n) < len(q.Data); n++ {
		hi, lo := q.Data[2*(i+n)], q.Data[2*(i+n)+1]
		if swapped {
			hi, lo = lo, hi
		}
		if !printable(hi) || n == 0 && hi == ' ' {
			return n
		}
		if lo == 0 {
			return n + 1
		}
		if !printable(lo) {
			return n
		}
	}
	return n
}

func printable(b byte) bool { return b >= ' ' && b < 0x7F }

// wordy tells text from numbers that happen to be printable: letters, digits
// and the marks of part numbers.
func wordy(s string) float64 {
	good := 0
	for _, r := range s {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == ' ' || r == '-' || r == '.' || r == '/' || r == '_' {
			good++
		}
	}
	share := float64(good) / float64(len(s))
	return 8*(share-0.7) + math.Min(float64(len(s)), 16)/4
}
