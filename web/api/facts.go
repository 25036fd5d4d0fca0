package api

import (
	"context"
	"errors"
	"net/http"

	"fieldferry/web/plant"
	"fieldferry/web/stream"
)

type factList struct {
	Facts []fact `json:"facts"`
}

type fact struct {
	Link    string `json:"link"`
	ID      string `json:"id" doc:"What Forget takes; begins with the device's name."`
	Device  string `json:"device"`
	Text    string `json:"text"`
	Why     string `json:"why" doc:"What it was learnt from."`
	Learned int64  `json:"learned"`
	Retry   int64  `json:"retry" doc:"When it is tried again; 0: never."`
}

func (o *operations) facts(ctx context.Context, _ *struct{}) (*answer[factList], error) {
	out := factList{Facts: []fact{}}
	for _, f := range o.Control.Facts(ctx) {
		out.Facts = append(out.Facts, fact{f.Link, f.ID, f.Device, f.Text, f.Why, stream.Millis(f.Learned), stream.Millis(f.Retry)})
	}
	return &answer[factList]{out}, nil
}

type forgetInput struct {
	ID string `query:"id" required:"true" minLength:"1" maxLength:"400" doc:"The id of a fact, or the name of a device for all of its facts."`
}

type forgotten struct {
	Facts int `json:"facts" doc:"How many were forgotten. What still is so is learnt anew."`
}

func (o *operations) forget(ctx context.Context, in *forgetInput) (*answer[forgotten], error) {
	n, err := o.Control.Forget(ctx, in.ID, author(ctx))
	switch {
	case errors.Is(err, plant.ErrUnknown):
		return nil, coded(http.StatusNotFound, "unknown_fact", "nothing is known by that name")
	case err != nil:
		return nil, Internal(o.Log, "forget", err)
	}
	return &answer[forgotten]{forgotten{n}}, nil
}
