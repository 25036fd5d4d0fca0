// Package export writes samples of a buffer as text: CSV and JSON lines for
// programs, columns for people. Nothing is rounded: times have nanoseconds,
// integers all their digits, floats the shortest text that reads back as the
// same bits.
//
// A Writer is for one goroutine at a time and blocks as its io.Writer does.
package export

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"fieldferry/buffer/clock"
	"fieldferry/buffer/inspect"
	"fieldferry/tag"
)

// Format is how samples are written.
type Format string

// The formats.
const (
	CSV       Format = "csv"   // RFC 4180 with a header line
	JSONLines Format = "jsonl" // one object a line
	Columns   Format = "table" // for people
)

// timeForm is RFC 3339 with all nanoseconds, so that texts sort like times.
const timeForm = "2006-01-02T15:04:05.000000000Z07:00"

// Writer writes samples. Close must follow.
type Writer struct {
	out    *bufio.Writer
	append func(dst []byte, s *inspect.Sample) []byte
	line   []byte
}

// New returns a writer of a format.
func New(out io.Writer, f Format) (*Writer, error) {
	w := &Writer{out: bufio.NewWriterSize(out, 64<<10)}
	head := ""
	switch f {
	case CSV:
		w.append, head = appendCSV, "seq,epoch,class,time,device,tag,type,value,unit,quality,reason,n,clock,read,link\n"
	case JSONLines:
		w.append = appendJSON
	case Columns:
		w.append, head = appendColumns, fmt.Sprintf("%12s  %10s  %-30s  %-32s  %-24s  %s\n", "SEQ", "N", "TIME", "TAG", "VALUE", "QUALITY")
	default:
		return nil, fmt.Errorf("unknown format %q: use %s or %s", string(f), CSV, JSONLines)
	}
	_, err := w.out.WriteString(head)
	return w, err
}

// Write writes one sample.
func (w *Writer) Write(s *inspect.Sample) error {
	w.line = w.append(w.line[:0], s)
	_, err := w.out.Write(w.line)
	return err
}

// Close writes what is still in memory. It does not close the io.Writer.
func (w *Writer) Close() error { return w.out.Flush() }

func appendTime(dst []byte, t time.Time) []byte { return t.UTC().AppendFormat(dst, timeForm) }

var kinds = [...]string{
	tag.KindNull: "null", tag.KindBool: "bool", tag.KindInt: "int", tag.KindUint: "uint", tag.KindFloat32: "float32",
	tag.KindFloat64: "float64", tag.KindString: "string", tag.KindBytes: "bytes", tag.KindJSON: "json",
}

func appendCSV(dst []byte, s *inspect.Sample) []byte {
	v, t := s.Sample.Value, s.Sample.Tag
	dst = strconv.AppendUint(dst, s.Seq, 10)
	dst = append(dst, ',')
	dst = strconv.AppendUint(dst, uint64(s.Epoch), 10)
	dst = appendCell(dst, s.Class)
	dst = appendTime(append(dst, ','), s.Sample.Time)
	dst = appendCell(dst, t.Device.Name)
	dst = appendCell(dst, t.Name)
	dst = appendCell(dst, kinds[v.Kind()])
	switch v.Kind() {
	case tag.KindNull:
		dst = append(dst, ',')
	case tag.KindBytes:
		text, _ := v.Text()
		dst = base64.StdEncoding.AppendEncode(append(dst, ','), []byte(text))
	default:
		dst = appendCell(dst, v.String())
	}
	dst = appendCell(dst, t.Unit)
	dst = appendCell(dst, s.Sample.Quality.Level.String())
	dst = appendCell(dst, s.Sample.Quality.Reason)
	dst = strconv.AppendUint(append(dst, ','), s.N, 10)
	dst = appendCell(dst, s.Clock.String())
	dst = strconv.AppendUint(append(dst, ','), s.Sample.Read, 10)
	dst = appendCell(dst, t.Device.Link.Name)
	return append(dst, '\n')
}

// appendCell appends a comma and a cell, quoted where it must be.
func appendCell(dst []byte, text string) []byte {
	dst = append(dst, ',')
	if !strings.ContainsAny(text, ",\"\r\n") && !strings.HasPrefix(text, " ") {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	dst = append(dst, strings.ReplaceAll(text, `"`, `""`)...)
	return append(dst, '"')
}

// appendJSON appends an object. Its type tells how to read the value: bytes
// are base64, and floats that JSON has no number for are text.
func appendJSON(dst []byte, s *inspect.Sample) []byte {
	t := s.Sample.Tag
	dst = strconv.AppendUint(append(dst, `{"seq":`...), s.Seq, 10)
	dst = strconv.AppendUint(append(dst, `,"epoch":`...), uint64(s.Epoch), 10)
	if s.Class != "" {
		dst = appendText(append(dst, `,"class":`...), s.Class)
	}
	dst = append(appendTime(append(dst, `,"time":"`...), s.Sample.Time), '"')
	dst = appendText(append(dst, `,"device":`...), t.Device.Name)
	dst = appendText(append(dst, `,"tag":`...), t.Name)
	dst = appendText(append(dst, `,"type":`...), kinds[s.Sample.Value.Kind()])
	dst = appendValue(append(dst, `,"value":`...), s.Sample.Value)
	if t.Unit != "" {
		dst = appendText(append(dst, `,"unit":`...), t.Unit)
	}
	dst = appendText(append(dst, `,"quality":`...), s.Sample.Quality.Level.String())
	if s.Sample.Quality.Reason != "" {
		dst = appendText(append(dst, `,"reason":`...), s.Sample.Quality.Reason)
	}
	dst = strconv.AppendUint(append(dst, `,"n":`...), s.N, 10)
	if s.Clock != clock.Trusted {
		dst = appendText(append(dst, `,"clock":`...), s.Clock.String())
	}
	dst = strconv.AppendUint(append(dst, `,"read":`...), s.Sample.Read, 10)
	if t.Device.Link.Name != "" {
		dst = appendText(append(dst, `,"link":`...), t.Device.Link.Name)
	}
	return append(dst, "}\n"...)
}

func appendValue(dst []byte, v tag.Value) []byte {
	text, _ := v.Text()
	switch v.Kind() {
	case tag.KindString:
		return appendText(dst, text)
	case tag.KindBytes:
		return append(base64.StdEncoding.AppendEncode(append(dst, '"'), []byte(text)), '"')
	case tag.KindJSON:
		if !json.Valid([]byte(text)) || strings.ContainsAny(text, "\r\n") {
			return appendText(dst, text) // it would end the line, or the object
		}
	case tag.KindFloat32, tag.KindFloat64:
		if f, _ := v.Number(); math.IsNaN(f) || math.IsInf(f, 0) {
			return appendText(dst, v.String())
		}
	}
	return v.Append(dst)
}

func appendText(dst []byte, s string) []byte {
	b, _ := json.Marshal(s) // a string always has a JSON form
	return append(dst, b...)
}

func appendColumns(dst []byte, s *inspect.Sample) []byte {
	v := s.Sample.Value.String()
	if s.Sample.Tag.Unit != "" && s.Sample.Value.Numeric() {
		v += " " + s.Sample.Tag.Unit
	}
	quality := s.Sample.Quality.String()
	if s.Clock != clock.Trusted {
		quality += ", clock " + s.Clock.String()
	}
	return fmt.Appendf(dst, "%12d  %10d  %-30s  %-32s  %-24s  %s\n", s.Seq, s.N, appendTime(nil, s.Sample.Time), printable(s.Sample.Tag.Path()), printable(v), printable(quality))
}

// longest is how much of a text a column shows.
const longest = 120

// printable makes text from a device fit for one line of a terminal.
func printable(s string) string {
	if len(s) > longest {
		cut := longest
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
