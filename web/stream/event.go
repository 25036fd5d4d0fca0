package stream

import (
	"time"

	"fieldferry/tag"
	"fieldferry/web/health"
	"fieldferry/web/plant"
)

// Row is the latest value of a tag, as it is sent.
type Row struct {
	ID      int    `json:"id" doc:"Position in the list of tags of this generation."`
	Text    string `json:"text" doc:"The value in full precision, empty when there is none."`
	Kind    string `json:"kind" enum:"null,bool,int,float32,float64,text" doc:"What the text is; int also beyond 2^53."`
	Quality string `json:"quality" enum:"good,uncertain,bad,none" doc:"none: not read yet."`
	Reason  string `json:"reason,omitempty" doc:"Why the quality is not good."`
	Time    int64  `json:"time,omitempty" doc:"Source timestamp, in milliseconds since 1970 UTC."`
	Fresh   int64  `json:"fresh,omitempty" doc:"When it was last read by the gateway's clock, in milliseconds since 1970 UTC."`
}

// Hello is the first event of a stream.
type Hello struct {
	Stream     string `json:"stream" doc:"Id for /api/stream/{stream}/watch."`
	Generation uint64 `json:"generation"`
	Now        int64  `json:"now" doc:"The gateway's clock, in milliseconds since 1970 UTC."`
	Beat       int64  `json:"beat_ms" doc:"A stream that is silent for much longer than this is broken."`
}

// Values carries the watched tags that changed.
type Values struct {
	Generation uint64 `json:"generation"`
	Now        int64  `json:"now"`
	Rows       []Row  `json:"rows"`
}

// Levels carries the tags whose quality changed; the first event of a
// generation carries all that are not good.
type Levels struct {
	Generation uint64  `json:"generation"`
	Now        int64   `json:"now"`
	First      bool    `json:"first" doc:"Tags that are not listed are good."`
	Levels     []Level `json:"levels"`
}

// Level is the quality of one tag.
type Level struct {
	ID      int    `json:"id"`
	Quality string `json:"quality" enum:"good,uncertain,bad,none"`
}

// Beat is sent regularly, and at once when something in it changes.
type Beat struct {
	Generation uint64        `json:"generation" doc:"When it grows, the list of tags must be fetched again."`
	Revision   string        `json:"revision"`
	Now        int64         `json:"now"`
	Health     health.Health `json:"health"`
	Counts     health.Counts `json:"counts"`
}

var kinds = [...]string{
	tag.KindNull: "null", tag.KindBool: "bool", tag.KindInt: "int", tag.KindUint: "int",
	tag.KindFloat32: "float32", tag.KindFloat64: "float64", tag.KindString: "text", tag.KindBytes: "text", tag.KindJSON: "text",
}

// RowOf returns what is sent of a value.
func RowOf(id int, v plant.Value) Row {
	r := Row{ID: id, Quality: "none", Kind: "null"}
	if v.Version == 0 {
		return r
	}
	r.Quality, r.Reason = v.Quality.Level.String(), v.Quality.Reason
	if !v.Value.IsNull() {
		r.Text, r.Kind = v.Value.String(), kinds[v.Value.Kind()]
	}
	r.Time, r.Fresh = Millis(v.Time), Millis(v.Fresh)
	return r
}

// Millis is a time in milliseconds since 1970, 0 for the zero time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
