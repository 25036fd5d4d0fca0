package modbustest

import (
	"encoding/binary"
	"sync"
)

// Memory is the content of one unit. Bits and registers from its Size upwards
// do not exist; nor do those in Holes.
type Memory struct {
	mu    sync.Mutex // guards the fields below once the server runs
	Size  int        // of each table
	Holes map[int]bool
	Bits  [2]map[int]bool   // coils, discrete inputs
	Words [2]map[int]uint16 // holding registers, input registers
}

// NewMemory makes a unit with tables of a size, all zero.
func NewMemory(size int) *Memory {
	return &Memory{
		Size: size, Holes: map[int]bool{},
		Bits:  [2]map[int]bool{{}, {}},
		Words: [2]map[int]uint16{{}, {}},
	}
}

// Set puts holding registers.
func (m *Memory) Set(address int, words ...uint16) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, w := range words {
		m.Words[0][address+i] = w
	}
}

// Get returns a holding register.
func (m *Memory) Get(address int) uint16 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.Words[0][address]
}

// Coil returns a coil.
func (m *Memory) Coil(address int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.Bits[0][address]
}

// Hole makes an address one that the device does not have.
func (m *Memory) Hole(address int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Holes[address] = true
}

// Fill undoes Hole.
func (m *Memory) Fill(address int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.Holes, address)
}

// Answer is the PDU that a healthy device would answer to a PDU.
func (m *Memory) Answer(pdu []byte) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(pdu) < 5 {
		return []byte{pdu[0] | 0x80, 3}
	}
	fc, address, n := pdu[0], int(binary.BigEndian.Uint16(pdu[1:])), int(binary.BigEndian.Uint16(pdu[3:]))
	if fc == 5 || fc == 6 || fc == 22 {
		n = 1
	}
	if fc == 0 || fc > 16 && fc != 22 || fc > 6 && fc < 15 {
		return []byte{fc | 0x80, 1}
	}
	for i := range n {
		if address+i >= m.Size || m.Holes[address+i] {
			return []byte{fc | 0x80, 2}
		}
	}
	if fc <= 4 {
		return m.read(fc, address, n)
	}
	return m.write(pdu, address, n)
}

func (m *Memory) read(fc byte, address, n int) []byte {
	if fc >= 3 {
		out := []byte{fc, byte(2 * n)}
		for i := range n {
			out = binary.BigEndian.AppendUint16(out, m.Words[fc-3][address+i])
		}
		return out
	}
	out := make([]byte, 2+(n+7)/8)
	out[0], out[1] = fc, byte((n+7)/8)
	for i := range n {
		if m.Bits[fc-1][address+i] {
			out[2+i/8] |= 1 << (i % 8)
		}
	}
	return out
}

func (m *Memory) write(pdu []byte, address, n int) []byte {
	switch pdu[0] {
	case 5:
		m.Bits[0][address] = pdu[3] == 0xFF
		return pdu
	case 6:
		m.Words[0][address] = binary.BigEndian.Uint16(pdu[3:])
		return pdu
	case 22:
		and, or := binary.BigEndian.Uint16(pdu[3:]), binary.BigEndian.Uint16(pdu[5:])
		m.Words[0][address] = m.Words[0][address]&and | or&^and
		return pdu
	}
	for i := range n {
		if pdu[0] == 15 {
			m.Bits[0][address+i] = pdu[6+i/8]>>(i%8)&1 != 0
		} else {
			m.Words[0][address+i] = binary.BigEndian.Uint16(pdu[6+2*i:])
		}
	}
	return pdu[:5]
}
