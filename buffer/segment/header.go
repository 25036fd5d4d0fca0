package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"fieldferry/buffer/frame"
)

// version is the format that this program writes. Files of another version are
// left alone: format 1 was never released.
const version = 2

// HeaderSize is the length of the header page; the first block follows it.
const HeaderSize = 4096

// ErrVersion is wrapped by Header.Parse for a file of another format.
var ErrVersion = errors.New("written by another version")

var table = crc32.MakeTable(crc32.Castagnoli)

// Header is the first page of a segment.
type Header struct {
	Log      uint64 // the log that the segment belongs to, drawn at random once
	ID       uint32 // counts the segments of the log upwards from 1
	Epoch    uint32 // counts unclean starts
	FirstSeq uint64 // the sequence number that the next sample was to have
	FirstOrd uint64 // samples appended to the log before this segment
	Clock    frame.Clock
}

const (
	headerMagic = "FFERRYSG"
	headerUsed  = 104 // bytes under the checksum at headerUsed
)

// Append appends the header page.
func (h *Header) Append(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, headerMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, version)
	dst = binary.LittleEndian.AppendUint32(dst, h.ID)
	dst = binary.LittleEndian.AppendUint64(dst, h.Log)
	dst = binary.LittleEndian.AppendUint64(dst, h.FirstSeq)
	dst = binary.LittleEndian.AppendUint64(dst, h.FirstOrd)
	dst = binary.LittleEndian.AppendUint32(dst, h.Epoch)
	dst = binary.LittleEndian.AppendUint32(dst, flagTrusted(h.Clock.Trusted))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.Clock.Log))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.Clock.Wall.UnixNano()))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.Clock.Up))
	dst = append(dst, h.Clock.Boot[:]...)
	dst = append(dst, make([]byte, headerUsed-(len(dst)-at))...)
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[at:at+headerUsed], table))
	return append(dst, make([]byte, HeaderSize-(len(dst)-at))...)
}

func flagTrusted(on bool) uint32 {
	if on {
		return 1
	}
	return 0
}

// Parse reads a header page; at least its first 108 bytes are needed.
func (h *Header) Parse(p []byte) error {
	if len(p) < headerUsed+4 || string(p[:8]) != headerMagic {
		return fmt.Errorf("segment header: %w", frame.ErrCorrupt)
	}
	le := binary.LittleEndian
	if le.Uint32(p[headerUsed:]) != crc32.Checksum(p[:headerUsed], table) {
		return fmt.Errorf("segment header: checksum: %w", frame.ErrCorrupt)
	}
	if v := le.Uint32(p[8:]); v != version {
		return fmt.Errorf("segment header: format %d, this program knows %d: %w", v, version, ErrVersion)
	}
	h.ID, h.Log = le.Uint32(p[12:]), le.Uint64(p[16:])
	h.FirstSeq, h.FirstOrd = le.Uint64(p[24:]), le.Uint64(p[32:])
	h.Epoch = le.Uint32(p[40:])
	h.Clock.Trusted = le.Uint32(p[44:])&1 != 0
	h.Clock.Log = time.Duration(le.Uint64(p[48:]))
	h.Clock.Wall = time.Unix(0, int64(le.Uint64(p[56:]))).UTC()
	h.Clock.Up = time.Duration(le.Uint64(p[64:]))
	copy(h.Clock.Boot[:], p[72:88])
	return nil
}

// Name is the file name of the segment. It repeats what is needed to read the
// blocks and to count what is missing, so that a destroyed header page costs
// nothing.
func (h *Header) Name() string {
	return fmt.Sprintf("%08x-%016x-%016x-%016x.seg", h.ID, h.FirstOrd, h.FirstSeq, h.Log)
}

// ParseName takes a file name apart that Name made, and reports whether it is
// one.
func (h *Header) ParseName(name string) bool {
	n, err := fmt.Sscanf(name, "%08x-%016x-%016x-%016x.seg", &h.ID, &h.FirstOrd, &h.FirstSeq, &h.Log)
	return err == nil && n == 4 && h.Name() == name
}

// Key seeds the checksums of one segment's blocks.
type Key uint32

// Key returns the key of the segment: it is made of Log and ID.
func (h *Header) Key() Key {
	var b [12]byte
	binary.LittleEndian.PutUint64(b[:], h.Log)
	binary.LittleEndian.PutUint32(b[8:], h.ID)
	return Key(crc32.Checksum(b[:], table))
}
