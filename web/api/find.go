package api

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fieldferry/web/find"
	"fieldferry/web/stream"
)

func (o *operations) registerFinds(a huma.API) {
	huma.Register(a, post("/api/probe", "probe", "Lend a link for one request that changes nothing", 404, 422, 503), o.probe)
	huma.Register(a, post("/api/detect", "detect", "Every plausible way to read some registers", 422), o.detect)
	huma.Register(a, get("/api/frames", "frames", "The frames recorded on a link", 404), o.frames)
}

type probeInput struct {
	Body struct {
		Link    string  `json:"link" minLength:"1" maxLength:"400"`
		Unit    int     `json:"unit" minimum:"0" maximum:"255"`
		Request string  `json:"request" minLength:"2" maxLength:"506" doc:"Function code and data in hexadecimal: reads, report server id and device identification."`
		Limit   float64 `json:"limit_seconds" minimum:"0.001" maximum:"10" doc:"How long the unit may take to answer."`
	}
}

type probed struct {
	Outcome string  `json:"outcome" enum:"answered,declined,silent,garbled"`
	Code    int     `json:"code" doc:"Of an exception; 0: none."`
	Text    string  `json:"text" doc:"What happened, in words; empty when it answered."`
	Data    string  `json:"data" doc:"In hexadecimal: of a read the registers or bits alone, else what follows the function code."`
	At      int64   `json:"at"`
	Took    float64 `json:"took_seconds"`
}

// probeTime bounds a probe: its own limit, and the reads and writes ahead.
const probeTime = 40 * time.Second

func (o *operations) probe(ctx context.Context, in *probeInput) (*answer[probed], error) {
	req, err := hex.DecodeString(in.Body.Request)
	if err != nil {
		return nil, NewProblem(http.StatusUnprocessableEntity, "the request is not hexadecimal")
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	got, err := o.Finder.Probe(ctx, in.Body.Link, find.Query{
		Unit: in.Body.Unit, Request: req, Limit: time.Duration(in.Body.Limit * float64(time.Second)),
	})
	if err != nil {
		return nil, o.findError("probe", err)
	}
	return &answer[probed]{probed{
		Outcome: got.Outcome, Code: got.Code, Text: got.Text, Data: hex.EncodeToString(got.Data),
		At: stream.Millis(got.At), Took: seconds(got.Took),
	}}, nil
}

// findError turns an error of the Finder into an answer.
func (o *operations) findError(what string, err error) error {
	switch {
	case errors.Is(err, find.ErrNoLink):
		return coded(http.StatusNotFound, "unknown_link", err.Error())
	case errors.Is(err, find.ErrQuery):
		return NewProblem(http.StatusUnprocessableEntity, err.Error())
	case errors.Is(err, find.ErrDown), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return coded(http.StatusServiceUnavailable, "link_down", err.Error())
	}
	return Internal(o.Log, what, err)
}

type detectInput struct {
	Body struct {
		Address string `json:"address" minLength:"1" maxLength:"20" doc:"Of the first register, as a tag map has it: hr:100."`
		Data    string `json:"data" minLength:"4" maxLength:"500" doc:"The registers in hexadecimal, four digits each, at most 125."`
		Asked   string `json:"asked,omitempty" maxLength:"20" doc:"The first register that the manual names, where the data begin ahead of it."`
		Count   int    `json:"count,omitempty" minimum:"0" maximum:"125" doc:"How many registers the manual names; 0: all."`
		Shows   string `json:"shows,omitempty" maxLength:"200" doc:"What the display of the device shows at the same time."`
		Limit   int    `json:"limit,omitempty" minimum:"1" maximum:"5000" default:"50" doc:"How many readings to return."`
	}
}

type readings struct {
	Readings []reading `json:"readings" doc:"The best first."`
	More     int       `json:"more" doc:"How many were left out."`
}

type reading struct {
	Address   string   `json:"address"`
	Type      string   `json:"type"`
	ByteOrder string   `json:"byte_order"`
	Length    int      `json:"length"`
	Scale     float64  `json:"scale"`
	Shown     string   `json:"shown" doc:"The scaled value."`
	Match     string   `json:"match" doc:"How it agrees with the display: exact, cut off, near, or empty."`
	Score     float64  `json:"score" doc:"The higher the more plausible."`
	Also      []string `json:"also" doc:"Types that give the same value now."`
	Notes     []string `json:"notes"`
	Line      string   `json:"line" doc:"The tag as a tag map has it."`
}

func (o *operations) detect(_ context.Context, in *detectInput) (*answer[readings], error) {
	data, err := hex.DecodeString(in.Body.Data)
	if err != nil {
		return nil, NewProblem(http.StatusUnprocessableEntity, "the data are not hexadecimal")
	}
	got, err := o.Finder.Readings(find.Question{
		Address: in.Body.Address, Data: data, Asked: in.Body.Asked, Count: in.Body.Count, Shows: in.Body.Shows,
	})
	if err != nil {
		return nil, o.findError("detect", err)
	}
	n := min(len(got), in.Body.Limit)
	v := readings{Readings: make([]reading, n), More: len(got) - n}
	for i, r := range got[:n] {
		v.Readings[i] = reading(r)
		if r.Also == nil {
			v.Readings[i].Also = []string{}
		}
		if r.Notes == nil {
			v.Readings[i].Notes = []string{}
		}
	}
	return &answer[readings]{v}, nil
}

type framesQuery struct {
	Link string `query:"link" required:"true" minLength:"1" maxLength:"400"`
	Kept string `query:"kept" enum:"first,last" doc:"Those around the first or the latest fault that was kept; left out: the last ones."`
}

type framesAnswer struct {
	Link   string        `json:"link"`
	Kept   string        `json:"kept"`
	Fault  int64         `json:"fault" doc:"When the fault was around which they were kept, in microseconds since 1970 UTC; 0: none."`
	Frames []frameAnswer `json:"frames" doc:"Oldest first."`
}

type frameAnswer struct {
	At      int64  `json:"at" doc:"In microseconds since 1970 UTC."`
	Out     bool   `json:"out" doc:"The gateway sent it."`
	Outcome string `json:"outcome" enum:"request,answer,refused,late,foreign,noise,echo,silence"`
	Unit    int    `json:"unit"`
	PDU     string `json:"pdu" doc:"Function code and data in hexadecimal; empty: none."`
	Bytes   string `json:"bytes" doc:"As they were on the wire, in hexadecimal."`
	Text    string `json:"text" doc:"The frame in words."`
}

func (o *operations) frames(_ context.Context, in *framesQuery) (*answer[framesAnswer], error) {
	got, err := o.Finder.Frames(in.Link, in.Kept)
	if err != nil {
		return nil, o.findError("frames", err)
	}
	v := framesAnswer{Link: got.Link, Kept: got.Kept, Frames: make([]frameAnswer, len(got.Frames))}
	if !got.Fault.IsZero() {
		v.Fault = got.Fault.UnixMicro()
	}
	for i, f := range got.Frames {
		v.Frames[i] = frameAnswer{f.At.UnixMicro(), f.Out, f.Outcome, f.Unit, hex.EncodeToString(f.PDU), hex.EncodeToString(f.Bytes), f.Text}
	}
	return &answer[framesAnswer]{v}, nil
}
