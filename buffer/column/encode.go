package column

import (
	"encoding/binary"

	"fieldferry/buffer/frame"
)

// The kinds of values as they lie in a frame; see frame.Cells.Kind.
const (
	kindNull = iota
	kindBool
	kindInt
	kindUint
	kindFloat32
	kindFloat64
	kindString
	kindBytes
	kindJSON
	kindDecimal32
	kindDecimal64
)

// finer marks a decimal with more digits behind the point than the one before
// had, in the column of kinds.
const finer = 0x80

// The columns, in their order.
const (
	colOp     = iota // kind, quality, reason: a byte per sample
	colOrder         // uvarint per sample, as in the frame
	colPassed        // uvarint per sample that has it
	colTime
	colRead
	colN      // uvarint per sample, zigzag: to what is expected
	colReason // uvarint per sample with a reason
	colLen    // uvarint per text
	colText
	colExp  // byte per finer decimal
	colBool // byte per value
	colNum  // from here on: a column of planes per numeric kind
	columns = colNum + 6
)

// numeric is the place of a kind's column behind colNum; -1 for those that
// have none.
func numeric(kind byte) int {
	switch kind {
	case kindInt, kindUint, kindFloat32, kindFloat64:
		return int(kind) - kindInt
	case kindDecimal32, kindDecimal64:
		return int(kind) - kindDecimal32 + 4
	}
	return -1
}

// minRow is the length of the shortest frame of a sample: it bounds how many
// there can be.
const minRow = 5

var pow10 = [8]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7}

// encoder makes columns of rows.
type encoder struct {
	tags table
	cols [colNum][]byte
	nums [columns - colNum][]uint64
	cell frame.Cells

	id     uint32
	n      uint64 // counter of the row before
	firstN uint64 // counter of the last row whose tag was new
}

// encode appends the columns of count rows to dst. It reports false for rows
// that it cannot take apart.
func (e *encoder) encode(dst, rows []byte, count int, refs func(uint32) Ref) ([]byte, bool) {
	if count > len(rows)/minRow {
		return dst, false
	}
	e.tags.reset(count)
	for i := range e.cols {
		e.cols[i] = e.cols[i][:0]
	}
	for i := range e.nums {
		e.nums[i] = e.nums[i][:0]
	}
	e.id, e.n, e.firstN = 0, 0, 0
	for ; count > 0; count-- {
		n := e.cell.Parse(rows)
		if n == 0 {
			return dst, false
		}
		rows = rows[n:]
		e.row(refs)
	}
	for i, c := range &e.cols {
		dst = appendStream(dst, c, i == colText)
	}
	for _, nums := range &e.nums {
		dst = e.appendNumbers(dst, nums)
	}
	return dst, len(rows) == 0
}

func (e *encoder) appendNumbers(dst []byte, nums []uint64) []byte {
	p := appendPlanes(e.cols[colText][:0], nums) // that column has been written
	e.cols[colText] = p
	dst = binary.AppendUvarint(dst, uint64(len(p))<<1)
	return append(dst, p...)
}

func (e *encoder) row(refs func(uint32) Ref) {
	c := &e.cell
	e.id += uint32(unzigzag(c.Tag()))
	e.n += unzigzag(c.N)
	s, seen := e.tags.at(e.id)
	if !seen {
		s.load(refs(e.id))
	}
	e.put(colOrder, c.Order)
	if c.HasPassed() {
		e.put(colPassed, c.Passed)
	}
	e.put(colTime, c.Time)
	e.put(colRead, c.Read)
	e.put(colN, zigzag(e.n-expected(s, seen, e.firstN)))
	if !seen {
		e.firstN = e.n
	}
	s.n = e.n
	if c.HasReason() {
		e.put(colReason, c.Reason)
		if c.Reason == 0 {
			e.text(c.Why)
		}
	}
	e.cols[colOp] = append(e.cols[colOp], c.Op|e.value(s))
}

// expected is the counter that a sample is expected to have: one more than the
// sample before of its tag; where it is the first, as the first of the tag
// before, since tags that are read together are counted together.
func expected(s *state, seen bool, first uint64) uint64 {
	if seen {
		return s.n + 1
	}
	return first
}

func (e *encoder) put(col int, v uint64) {
	e.cols[col] = binary.AppendUvarint(e.cols[col], v)
}

func (e *encoder) text(p []byte) {
	e.put(colLen, uint64(len(p)))
	e.cols[colText] = append(e.cols[colText], p...)
}

// value puts the value into the column of its kind, and returns finer or 0.
func (e *encoder) value(s *state) (mark byte) {
	kind, num := e.cell.Kind(), e.cell.Num
	switch kind {
	case kindNull:
		return 0
	case kindString, kindBytes, kindJSON:
		e.text(e.cell.Text)
		return 0
	}
	s.use(kind)
	var diff uint64
	switch kind {
	case kindBool:
		e.cols[colBool] = append(e.cols[colBool], byte(num^s.num))
		s.num = num
		return 0
	case kindInt:
		num = unzigzag(num)
		diff = zigzag(num - s.num)
	case kindUint:
		diff = zigzag(num - s.num)
	case kindFloat32, kindFloat64:
		diff = num ^ s.num
	default:
		num, mark = e.decimal(s, num)
		diff = zigzag(num - s.num)
	}
	s.num = num
	i := numeric(kind)
	e.nums[i] = append(e.nums[i], diff)
	return mark
}

// decimal returns the digits of a decimal on the scale of the one before; on
// its own, to which that one is brought, where it is finer.
func (e *encoder) decimal(s *state, num uint64) (digits uint64, mark byte) {
	digits, exp := unzigzag(num>>3), byte(num&7)
	if exp <= s.exp {
		return digits * pow10[s.exp-exp], 0
	}
	e.cols[colExp] = append(e.cols[colExp], exp)
	s.num *= pow10[exp-s.exp]
	s.exp = exp
	return digits, finer
}
