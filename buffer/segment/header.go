package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"fieldferry/buffer/disk"
)

// Version is the format that this program writes. Files of a higher version
// are left alone.
const Version = 1

// HeaderSize is the length of the header page; the first block follows it.
const HeaderSize = 4096

// ErrCorrupt is wrapped by every error about bytes that are not what the
// format says.
var ErrCorrupt = errors.New("corrupt")

// ErrVersion is returned by ParseHeader for a file of a later program.
var ErrVersion = errors.New("written by a later version")

var table = crc32.MakeTable(crc32.Castagnoli)

// Header is the first page of a segment.
type Header struct {
	Log      uint64 // the log that the segment belongs to, drawn at random once
	ID       uint32 // counts the segments of the log upwards from 1
	Epoch    uint32 // counts unclean starts
	FirstSeq uint64 // the sequence number that the next sample was to have
	FirstOrd uint64 // samples appended to the log before this segment
	Clock    Clock
}

// Clock ties the log's own time to the machine's clocks. The log's time only
// runs while somebody can vouch for it, so that age never depends on a wrong
// wall clock.
type Clock struct {
	Log time.Duration // the log's own time
	disk.Clock
}

const (
	headerMagic = "FFERRYSG"
	headerUsed  = 104 // bytes under the checksum at headerUsed
)

// AppendHeader appends the header page.
func AppendHeader(dst []byte, h *Header) []byte {
	at := len(dst)
	dst = append(dst, headerMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, Version)
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

// ParseHeader reads a header page; at least its first 108 bytes are needed.
func ParseHeader(p []byte) (Header, error) {
	var h Header
	if len(p) < headerUsed+4 || string(p[:8]) != headerMagic {
		return h, fmt.Errorf("segment header: %w", ErrCorrupt)
	}
	le := binary.LittleEndian
	if le.Uint32(p[headerUsed:]) != crc32.Checksum(p[:headerUsed], table) {
		return h, fmt.Errorf("segment header: checksum: %w", ErrCorrupt)
	}
	if v := le.Uint32(p[8:]); v != Version {
		return h, fmt.Errorf("segment header: format %d, this program knows %d: %w", v, Version, ErrVersion)
	}
	h.ID, h.Log = le.Uint32(p[12:]), le.Uint64(p[16:])
	h.FirstSeq, h.FirstOrd = le.Uint64(p[24:]), le.Uint64(p[32:])
	h.Epoch = le.Uint32(p[40:])
	h.Clock.Trusted = le.Uint32(p[44:])&1 != 0
	h.Clock.Log = time.Duration(le.Uint64(p[48:]))
	h.Clock.Wall = time.Unix(0, int64(le.Uint64(p[56:]))).UTC()
	h.Clock.Up = time.Duration(le.Uint64(p[64:]))
	copy(h.Clock.Boot[:], p[72:88])
	return h, nil
}

// Name is the file name of the segment. It repeats what is needed to read the
// blocks and to count what is missing, so that a destroyed header page costs
// nothing.
func (h *Header) Name() string {
	return fmt.Sprintf("%08x-%016x-%016x-%016x.seg", h.ID, h.FirstOrd, h.FirstSeq, h.Log)
}

// ParseName takes a file name apart that Name made.
func ParseName(name string) (Header, bool) {
	var h Header
	n, err := fmt.Sscanf(name, "%08x-%016x-%016x-%016x.seg", &h.ID, &h.FirstOrd, &h.FirstSeq, &h.Log)
	return h, err == nil && n == 4 && h.Name() == name
}

// Key returns what the checksums of the segment are seeded with.
func (h *Header) Key() Key { return NewKey(h.Log, h.ID) }

// Key seeds the checksums of one segment's blocks.
type Key uint32

// NewKey makes the key of a segment of a log.
func NewKey(log uint64, id uint32) Key {
	var b [12]byte
	binary.LittleEndian.PutUint64(b[:], log)
	binary.LittleEndian.PutUint32(b[8:], id)
	return Key(crc32.Checksum(b[:], table))
}
