package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fieldferry/tag"
	"fieldferry/web/plant"
	"fieldferry/web/stream"
)

// How long the operations that do not answer from memory may take.
const (
	readTime  = 15 * time.Second
	applyTime = 50 * time.Second
)

type operations struct{ Deps }

type answer[T any] struct{ Body T }

func get(path, id, summary string, errs ...int) huma.Operation {
	return huma.Operation{Method: http.MethodGet, Path: path, OperationID: id, Summary: summary, Errors: errs}
}

func post(path, id, summary string, errs ...int) huma.Operation {
	return huma.Operation{
		Method: http.MethodPost, Path: path, OperationID: id, Summary: summary, Errors: errs,
		// The server has read the body already, within its own limits; a
		// deadline set now would end the request's context while a device
		// is still being asked.
		BodyReadTimeout: -1,
	}
}

func (o *operations) registerReads(a huma.API) {
	huma.Register(a, get("/api/status", "status", "Links, devices, uplinks and the buffer"), o.status)
	huma.Register(a, listing[tagList](a, get("/api/tags", "tags", "All tags and their settings")), o.tags)
	huma.Register(a, get("/api/tags/{device}/{tag}", "tag", "One tag, and where each of its settings comes from", 404), o.tag)
	huma.Register(a, listing[valueList](a, get("/api/values", "values", "The latest values", 404)), o.values)
	huma.Register(a, get("/api/revision", "revision", "The running revision of the configuration"), o.revision)
	huma.Register(a, get("/api/history", "history", "The revisions that were applied, newest first"), o.history)
	huma.Register(a, get("/api/facts", "facts", "What drivers have learnt about devices"), o.facts)
	huma.Register(a, get("/api/read/{device}/{tag}", "read", "Ask the device for a tag now", 404, 504), o.read)
}

func (o *operations) registerWrites(a huma.API) {
	huma.Register(a, post("/api/stream/{stream}/watch", "watch", "Set the tags that a stream shows", 404, 422), o.watch)
	huma.Register(a, post("/api/draft/check", "check", "What a draft would do", 412, 422, 428), o.check)
	huma.Register(a, post("/api/draft/apply", "apply", "Make a draft the running configuration", 412, 422, 428), o.apply)
	huma.Register(a, post("/api/facts/forget", "forget", "Forget what was learnt about a device", 404, 422), o.forget)
	huma.Register(a, post("/api/reload", "reload", "Read the configuration directory again", 422), o.reload)
}

func (o *operations) status(context.Context, *struct{}) (*answer[status], error) {
	return &answer[status]{viewStatus(o.Plant, o.Hub.Counts())}, nil
}

// tags takes the revision before the list: when it is replaced in between, a
// draft on this answer is told to be stale, instead of being begun on
// settings that nobody has seen.
func (o *operations) tags(context.Context, *struct{}) (*huma.StreamResponse, error) {
	revision := o.Editor.Revision().ID
	tags, generation := o.Plant.Tags()
	return rows{
		empty: tagList{generation, revision, []item{}}, n: len(tags),
		row: func(i int) (any, bool) { return viewItem(i, tags[i], o.Plant.Settings(tags[i])), true },
	}.send()
}

type tagPath struct {
	Device string `path:"device" maxLength:"200"`
	Tag    string `path:"tag" maxLength:"200"`
}

func (o *operations) tag(_ context.Context, in *tagPath) (*answer[tagDetail], error) {
	revision := o.Editor.Revision().ID // before the list: see tags
	tags, generation := o.Plant.Tags()
	i, ok := findTag(tags, in.Device, in.Tag)
	if !ok {
		return nil, unknownTag(in.Device, in.Tag)
	}
	t := tags[i]
	settings := o.Plant.Settings(t)
	v := tagDetail{
		Generation: generation, Revision: revision, Tag: viewItem(i, t, settings), Settings: map[string]setting{},
		Value: stream.RowOf(i, o.Plant.Value(t)), Now: stream.Millis(time.Now()),
	}
	for k, s := range settings {
		v.Settings[k] = setting(s)
	}
	return &answer[tagDetail]{v}, nil
}

// findTag looks a tag up in a list that is sorted by device and name.
func findTag(tags []*tag.Tag, device, name string) (int, bool) {
	return slices.BinarySearchFunc(tags, device, func(t *tag.Tag, device string) int {
		return cmp.Or(cmp.Compare(t.Device.Name, device), cmp.Compare(t.Name, name))
	})
}

func unknownTag(device, name string) *Problem {
	return coded(http.StatusNotFound, "unknown_tag", fmt.Sprintf("there is no tag %q of a device %q", name, device))
}

type valuesQuery struct {
	Device string `query:"device" maxLength:"200" doc:"Only the tags of this device."`
}

func (o *operations) values(_ context.Context, in *valuesQuery) (*huma.StreamResponse, error) {
	tags, _ := o.Plant.Tags()
	asked := func(t *tag.Tag) bool { return in.Device == "" || t.Device.Name == in.Device }
	if in.Device != "" && !slices.ContainsFunc(tags, asked) {
		return nil, coded(http.StatusNotFound, "unknown_device", fmt.Sprintf("there is no device %q with tags", in.Device))
	}
	return rows{
		empty: valueList{stream.Millis(time.Now()), []named{}}, n: len(tags),
		row: func(i int) (any, bool) {
			t := tags[i]
			return named{t.Device.Name, t.Name, t.Unit, stream.RowOf(i, o.Plant.Value(t))}, asked(t)
		},
	}.send()
}

type revisionAnswer struct {
	ETag string `header:"ETag"`
	Body revision
}

func (o *operations) revision(context.Context, *struct{}) (*revisionAnswer, error) {
	r := viewRevision(o.Editor.Revision())
	return &revisionAnswer{ETag: `"` + r.ID + `"`, Body: r}, nil
}

type historyQuery struct {
	Limit int `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

func (o *operations) history(ctx context.Context, in *historyQuery) (*answer[history], error) {
	list, err := o.Editor.History(ctx, in.Limit)
	if err != nil {
		return nil, Internal(o.Log, "history", err)
	}
	v := history{Revisions: make([]revision, len(list))}
	for i, r := range list {
		v.Revisions[i] = viewRevision(r)
	}
	return &answer[history]{v}, nil
}

func (o *operations) read(ctx context.Context, in *tagPath) (*answer[named], error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	v, err := o.Control.Read(ctx, in.Device, in.Tag)
	switch {
	case errors.Is(err, plant.ErrUnknown):
		return nil, unknownTag(in.Device, in.Tag)
	case errors.Is(err, context.DeadlineExceeded):
		return nil, NewProblem(http.StatusGatewayTimeout, fmt.Sprintf("device %q was not asked within %v: its link is busy or down", in.Device, readTime))
	case err != nil:
		return nil, Internal(o.Log, "read", err)
	}
	out := named{Device: in.Device, Name: in.Tag}
	tags, _ := o.Plant.Tags()
	i, ok := findTag(tags, in.Device, in.Tag)
	if ok {
		out.Unit = tags[i].Unit
	}
	out.Latest = stream.RowOf(i, v)
	return &answer[named]{out}, nil
}

type watchInput struct {
	Stream string `path:"stream" maxLength:"64"`
	Body   struct {
		Generation uint64 `json:"generation"`
		Tags       []int  `json:"tags" maxItems:"5000" doc:"Ids of the list of tags."`
	}
}

type watching struct {
	Watching   bool   `json:"watching" doc:"Whether the stream shows these tags from now on. It does not when they are of another generation: fetch the list of tags again."`
	Generation uint64 `json:"generation" doc:"The one that runs."`
}

// watch answers a page that is a moment behind without an error: the stream
// tells it the new generation anyway.
func (o *operations) watch(_ context.Context, in *watchInput) (*answer[watching], error) {
	err := o.Hub.Watch(in.Stream, in.Body.Generation, in.Body.Tags)
	switch {
	case errors.Is(err, stream.ErrUnknown):
		return nil, coded(http.StatusNotFound, "unknown_stream", "the stream has ended: open a new one")
	case err != nil && !errors.Is(err, stream.ErrGeneration):
		return nil, NewProblem(http.StatusUnprocessableEntity, err.Error())
	}
	_, generation := o.Plant.Tags()
	return &answer[watching]{watching{err == nil, generation}}, nil
}

type draftInput struct {
	IfMatch string `header:"If-Match" doc:"The revision that the draft was begun with, in quotes."`
	Body    draft
}

// base is the revision that If-Match names.
func (in *draftInput) base() (string, error) {
	base := strings.Trim(strings.TrimSpace(in.IfMatch), `"`)
	if base == "" || base == "*" {
		return "", coded(http.StatusPreconditionRequired, "revision_required",
			"say with If-Match which revision the draft was begun with; GET /api/revision tells the running one")
	}
	return base, nil
}

func (o *operations) check(ctx context.Context, in *draftInput) (*answer[report], error) {
	base, err := in.base()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, applyTime)
	defer cancel()
	r, err := o.Editor.Check(ctx, in.Body.plant(base))
	if err != nil {
		return nil, o.editError("check", err)
	}
	return &answer[report]{viewReport(r)}, nil
}

func (o *operations) apply(ctx context.Context, in *draftInput) (*answer[report], error) {
	base, err := in.base()
	if err != nil {
		return nil, err
	}
	// An apply that has begun is not ended by a browser that is closed.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), applyTime)
	defer cancel()
	r, err := o.Editor.Apply(ctx, in.Body.plant(base), author(ctx))
	return o.applied("apply", r, err)
}

func (o *operations) reload(ctx context.Context, _ *struct{}) (*answer[report], error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), applyTime)
	defer cancel()
	r, err := o.Control.Reload(ctx, author(ctx))
	return o.applied("reload", r, err)
}

func (o *operations) applied(what string, r plant.Report, err error) (*answer[report], error) {
	if err != nil {
		return nil, o.editError(what, err)
	}
	if len(r.Faults) > 0 {
		p := coded(http.StatusUnprocessableEntity, "faults",
			fmt.Sprintf("the configuration has %s; nothing was changed", faultCount(len(r.Faults))))
		p.Faults = viewFaults(r.Faults)
		return nil, p
	}
	return &answer[report]{viewReport(r)}, nil
}

func faultCount(n int) string {
	if n == 1 {
		return "a fault"
	}
	return fmt.Sprintf("%d faults", n)
}

func (o *operations) editError(what string, err error) error {
	if errors.Is(err, plant.ErrStale) {
		return coded(http.StatusPreconditionFailed, "stale_revision",
			fmt.Sprintf("%v: the running revision is %s; look at what changed, then review your draft again", err, o.Editor.Revision().ID))
	}
	return Internal(o.Log, what, err)
}
