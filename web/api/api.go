package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"fieldferry/web/find"
	"fieldferry/web/plant"
	"fieldferry/web/stream"
)

// Deps is what the operations work on. All fields are needed.
type Deps struct {
	Plant   plant.Plant
	Editor  plant.Editor
	Control plant.Control
	Finder  find.Finder
	Hub     *stream.Hub
	Log     *slog.Logger
}

// Register adds every operation to mux, below /api.
func Register(mux *http.ServeMux, d Deps) {
	register(mux, d)
	mux.Handle("GET /api/stream", d.Hub)
}

// Spec returns the OpenAPI file: JSON, indented, the same bytes every time.
func Spec() ([]byte, error) {
	a := register(http.NewServeMux(), Deps{})
	describeStream(a.OpenAPI())
	compact, err := json.Marshal(a.OpenAPI())
	if err != nil {
		return nil, fmt.Errorf("write the OpenAPI file: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return nil, fmt.Errorf("indent the OpenAPI file: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

func register(mux *http.ServeMux, d Deps) huma.API {
	c := huma.DefaultConfig("Fieldferry", "1")
	c.Info.Description = "The API of a gateway. Times are milliseconds since 1970 UTC, spans are seconds."
	c.DocsPath, c.OpenAPIPath, c.SchemasPath = "", "", "" // the documentation page would load scripts from outside
	c.CreateHooks = nil                                   // no $schema in bodies
	c.RejectUnknownQueryParameters = true
	a := humago.New(mux, c)
	o := &operations{d}
	o.registerReads(a)
	o.registerWrites(a)
	o.registerFinds(a)
	return a
}

// describeStream adds what huma does not serve: the stream of events.
func describeStream(o *huma.OpenAPI) {
	reg := o.Components.Schemas
	text := "Server-sent events. Their data, by event:\n"
	for _, e := range []struct {
		name string
		data any
	}{{"hello", stream.Hello{}}, {"values", stream.Values{}}, {"levels", stream.Levels{}}, {"beat", stream.Beat{}}} {
		ref := reg.Schema(reflect.TypeOf(e.data), true, "")
		text += fmt.Sprintf("- %s: %s\n", e.name, ref.Ref)
	}
	o.Paths["/api/stream"] = &huma.PathItem{Get: &huma.Operation{
		OperationID: "stream", Method: http.MethodGet, Path: "/api/stream", Summary: "Live values", Description: text,
		Responses: map[string]*huma.Response{"200": {
			Description: "OK",
			Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}},
	}}
}

type authorKey struct{}

// WithAuthor says who a request's changes are ascribed to.
func WithAuthor(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, authorKey{}, name)
}

func author(ctx context.Context) string {
	if name, ok := ctx.Value(authorKey{}).(string); ok {
		return name
	}
	return "page"
}
