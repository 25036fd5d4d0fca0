package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// rows is an answer whose last field is a list too long to be held in memory
// twice: each row is made when its turn to be sent has come.
type rows struct {
	empty any // the answer without its rows: its last field is an empty list
	n     int
	row   func(i int) (v any, ok bool) // not ok: left out
}

// send makes an answer of rows that is written as it is made.
func (r rows) send() (*huma.StreamResponse, error) {
	empty, err := json.Marshal(r.empty)
	if err != nil {
		return nil, fmt.Errorf("begin a list: %w", err)
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", "application/json")
		c.SetStatus(http.StatusOK)
		w := bufio.NewWriterSize(c.BodyWriter(), 32<<10)
		_, _ = w.Write(bytes.TrimSuffix(empty, []byte("]}")))
		r.write(w)
		_, _ = w.WriteString("]}\n")
		// A writer that has failed once tells it here again: the client has
		// gone, and there is nobody to tell.
		_ = w.Flush()
	}}, nil
}

// write sends the rows; it ends early when the client has gone.
func (r rows) write(w *bufio.Writer) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	first := true
	for i := range r.n {
		v, ok := r.row(i)
		if !ok {
			continue
		}
		if !first {
			_ = w.WriteByte(',')
		}
		first = false
		if err := enc.Encode(v); err != nil {
			return
		}
	}
}

// listing describes an operation whose answer is sent by rows, T being the
// whole of it.
func listing[T any](a huma.API, op huma.Operation) huma.Operation {
	op.Responses = map[string]*huma.Response{"200": {
		Description: "OK",
		Content: map[string]*huma.MediaType{"application/json": {
			Schema: a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, ""),
		}},
	}}
	return op
}
