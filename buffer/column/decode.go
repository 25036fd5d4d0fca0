package column

import "fieldferry/buffer/frame"

// maxRows is more than the rows of any block take.
const maxRows = 64 << 10

// decoder makes rows of columns.
type decoder struct {
	tags table
	cols [colNum]stream
	nums [columns - colNum]planes
	cell frame.Cells

	id     uint32
	n      uint64
	firstN uint64
	loose  bool // a reference value is not known: nor is the length
}

// decode appends the count rows that p holds to dst, limit bytes at most. It
// reports false where p is not what encode makes.
func (d *decoder) decode(dst, p []byte, count, limit int, refs func(uint32) Ref) ([]byte, bool) {
	if count > limit/minRow || !d.cut(p, count, limit) {
		return dst, false
	}
	d.tags.reset(count)
	d.id, d.n, d.firstN, d.loose = 0, 0, 0, false
	limit = min(limit, maxRows)
	for from := len(dst); count > 0; count-- {
		if !d.row(refs) || len(dst)-from+len(d.cell.Why)+len(d.cell.Text) > maxRows {
			return dst, false
		}
		dst = d.cell.Append(dst)
		if n := len(dst) - from; n > maxRows || n > limit && !d.loose {
			return dst, false
		}
	}
	for i := range d.cols {
		if !d.cols[i].done() {
			return dst, false
		}
	}
	return dst, true
}

// cut finds the columns in p.
func (d *decoder) cut(p []byte, count, limit int) (ok bool) {
	var nums [columns - colNum]stream
	for i := range columns {
		s := &nums[max(0, i-colNum)]
		if i < colNum {
			s = &d.cols[i]
		}
		if *s, p, ok = cutStream(p, limit); !ok {
			return false
		}
	}
	if len(p) > 0 {
		return false
	}
	var have [columns - colNum]int
	for ops := d.cols[colOp]; count > 0; count-- {
		if i := numeric(ops.byte() & 15); i >= 0 {
			have[i]++
		}
	}
	for i := range nums {
		if !d.nums[i].set(nums[i], have[i]) {
			return false
		}
	}
	return true
}

// row makes the next cell. Whether there was enough in every column is checked
// at the end; where there was not the cell is made of zeros.
func (d *decoder) row(refs func(uint32) Ref) bool {
	c := &d.cell
	*c = frame.Cells{Order: d.cols[colOrder].uvarint(), Time: d.cols[colTime].uvarint(), Read: d.cols[colRead].uvarint()}
	if c.HasPassed() {
		c.Passed = d.cols[colPassed].uvarint()
	}
	d.id += uint32(unzigzag(c.Tag()))
	s, seen := d.tags.at(d.id)
	if !seen {
		ref := refs(d.id)
		d.loose = d.loose || ref.Kind == Unknown
		s.load(ref)
	}
	n := expected(s, seen, d.firstN) + unzigzag(d.cols[colN].uvarint())
	c.N = zigzag(n - d.n)
	if !seen {
		d.firstN = n
	}
	d.n, s.n = n, n
	op := d.cols[colOp].byte()
	c.Op = op &^ finer
	if c.HasReason() {
		if c.Reason = d.cols[colReason].uvarint(); c.Reason == 0 {
			c.Why = d.text()
		}
	}
	return d.value(s, op&finer != 0)
}

func (d *decoder) text() []byte { return d.cols[colText].take(d.cols[colLen].uvarint()) }

// value completes the cell with the value, and reports false for a kind that
// is none.
func (d *decoder) value(s *state, finer bool) bool {
	c, kind := &d.cell, d.cell.Kind()
	switch kind {
	case kindNull:
		return !finer
	case kindString, kindBytes, kindJSON:
		c.Text = d.text()
		return !finer
	case kindBool:
		s.use(kind)
		s.num ^= uint64(d.cols[colBool].byte())
		c.Num = s.num
		return !finer
	}
	i := numeric(kind)
	if i < 0 {
		return false
	}
	s.use(kind)
	if finer && !d.refine(s) {
		return false
	}
	diff := d.nums[i].next()
	switch kind {
	case kindInt:
		s.num += unzigzag(diff)
		c.Num = zigzag(s.num)
	case kindUint:
		s.num += unzigzag(diff)
		c.Num = s.num
	case kindFloat32, kindFloat64:
		s.num ^= diff
		c.Num = s.num
	default:
		s.num += unzigzag(diff)
		c.Num = shortest(s)
	}
	return true
}

// refine brings a decimal to the finer scale that is next in its column.
func (d *decoder) refine(s *state) bool {
	exp := d.cols[colExp].byte()
	if s.kind < kindDecimal32 || exp <= s.exp || int(exp) >= len(pow10) {
		return false
	}
	s.num *= pow10[exp-s.exp]
	s.exp = exp
	return true
}

// shortest is a decimal as a frame has it: without zeros at the end.
func shortest(s *state) uint64 {
	digits, exp := int64(s.num), s.exp
	for exp > 0 && digits%10 == 0 {
		digits, exp = digits/10, exp-1
	}
	return zigzag(uint64(digits))<<3 | uint64(exp)
}
