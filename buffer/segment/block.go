package segment

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"fieldferry/buffer/column"
	"fieldferry/buffer/frame"
)

// Sizes of a block. A block starts at a multiple of 8.
const (
	blockHeader = 64
	maxBlock    = 64 << 10
	MaxPayload  = maxBlock - blockHeader
	Overhead    = blockHeader + 7 // of a block beyond its payload, at most
)

// Flags say what kind of frames a block holds.
type Flags uint16

// A block without a flag holds samples.
const (
	FlagMeta   Flags = 1 << iota // readers, drops, skips, clocks, the log's state
	FlagDict                     // tags and reasons
	FlagFooter                   // the end of a sealed segment; always the last block
	FlagCounts                   // the counters of all tags, for package tally
)

// minRow is the length of the shortest frame of a sample.
const minRow = 5

// Block is one block's header, and its payload where it was read.
type Block struct {
	Flags    Flags
	Count    uint32        // samples
	FirstSeq uint64        // of its first sample, or of the next one where it has none
	LastSeq  uint64        // of its last sample
	FirstOrd uint64        // samples appended to the log before its first
	Epoch    uint32        // in which they were appended
	Durable  uint32        // offset in the segment below which everything was durable when this was written
	Time     time.Duration // log time of its first sample
	Codec    column.Codec  // how the payload is stored
	Raw      uint32        // bytes of it decoded
	Payload  []byte        // as stored

	Off     int64 // where a Scanner has found it
	Skipped int64 // bytes between the block before and this one: damage
}

// End is the number of samples appended to the log up to the end of b.
func (b *Block) End() uint64 { return b.FirstOrd + uint64(b.Count) }

const blockMagic = 0x4B4C4246 // "FBLK"

// Size is the length of b on disk.
func (b *Block) Size() int { return blockSize(len(b.Payload)) }

// Append appends b with its payload, padded to a multiple of 8.
func (b *Block) Append(dst []byte, k Key) []byte {
	at := len(dst)
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, blockMagic)
	dst = append(dst, byte(b.Codec), 0)
	dst = le.AppendUint16(dst, uint16(b.Flags))
	dst = le.AppendUint32(dst, uint32(len(b.Payload))) // stored
	dst = le.AppendUint32(dst, b.raw())
	dst = le.AppendUint32(dst, b.Count)
	dst = le.AppendUint32(dst, b.Epoch)
	dst = le.AppendUint64(dst, b.FirstSeq)
	dst = le.AppendUint64(dst, b.FirstOrd)
	dst = le.AppendUint64(dst, uint64(b.Time))
	dst = le.AppendUint32(dst, b.Durable)
	dst = le.AppendUint64(dst, b.LastSeq)
	sum := crc32.Update(uint32(k), table, dst[at:])
	dst = le.AppendUint32(dst, crc32.Update(sum, table, b.Payload))
	dst = append(dst, b.Payload...)
	return append(dst, make([]byte, padded(len(b.Payload))-len(b.Payload))...)
}

func (b *Block) raw() uint32 {
	if b.Codec == column.Rows {
		return uint32(len(b.Payload))
	}
	return b.Raw
}

func blockSize(n int) int { return blockHeader + padded(n) }

func padded(n int) int { return (n + 7) &^ 7 }

// blockLength returns the length on disk of the block that starts with p, if
// p starts like one.
func blockLength(p []byte) (int, bool) {
	le := binary.LittleEndian
	if len(p) < blockHeader || le.Uint32(p) != blockMagic {
		return 0, false
	}
	n := le.Uint32(p[8:])
	if n > MaxPayload {
		return 0, false
	}
	return blockSize(int(n)), true
}

// Parse reads the block that p starts with and checks its checksum. The
// payload is a part of p.
func (b *Block) Parse(p []byte, k Key) error {
	size, ok := blockLength(p)
	if !ok || size > len(p) {
		return fmt.Errorf("block: %w", frame.ErrCorrupt)
	}
	le := binary.LittleEndian
	stored := int(le.Uint32(p[8:]))
	payload := p[blockHeader : blockHeader+stored]
	sum := crc32.Update(uint32(k), table, p[:blockHeader-4])
	if crc32.Update(sum, table, payload) != le.Uint32(p[blockHeader-4:]) {
		return fmt.Errorf("block: checksum: %w", frame.ErrCorrupt)
	}
	*b = Block{
		Flags: Flags(le.Uint16(p[6:])), Count: le.Uint32(p[16:]), Epoch: le.Uint32(p[20:]),
		FirstSeq: le.Uint64(p[24:]), LastSeq: le.Uint64(p[52:]), FirstOrd: le.Uint64(p[32:]),
		Time: time.Duration(le.Uint64(p[40:])), Durable: le.Uint32(p[48:]),
		Codec: column.Codec(p[4]), Raw: le.Uint32(p[12:]), Payload: payload,
	}
	if b.Codec > column.Packed || b.Raw > MaxPayload || b.Count > b.Raw/minRow || b.Codec == column.Rows && b.Raw != uint32(stored) {
		return fmt.Errorf("block: codec %d, %d samples in %d bytes: %w", b.Codec, b.Count, b.Raw, frame.ErrCorrupt)
	}
	return nil
}
