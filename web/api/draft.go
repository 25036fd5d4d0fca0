package api

import (
	"fieldferry/web/plant"
	"fieldferry/web/stream"
)

type draft struct {
	Changes []change `json:"changes" maxItems:"5000"`
	Comment string   `json:"comment,omitempty" maxLength:"500" doc:"Why, for the history."`
}

type change struct {
	Device string            `json:"device" minLength:"1" maxLength:"200"`
	Tag    string            `json:"tag" minLength:"1" maxLength:"200"`
	Set    map[string]string `json:"set" maxProperties:"64" doc:"Key of the tag map to its new text. An empty text removes the key, so that what is inherited holds again."`
}

type report struct {
	Faults  []fault   `json:"faults"`
	Effects []effect  `json:"effects"`
	Applied *revision `json:"applied,omitempty"`
}

type fault struct {
	Device string `json:"device,omitempty"`
	Tag    string `json:"tag,omitempty"`
	Key    string `json:"key,omitempty"`
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Path   string `json:"path,omitempty"`
	Text   string `json:"text"`
	Hint   string `json:"hint,omitempty"`
}

type effect struct {
	Link   string `json:"link,omitempty" doc:"The link that restarts."`
	Device string `json:"device,omitempty"`
	Tag    string `json:"tag,omitempty"`
	Text   string `json:"text"`
}

type revision struct {
	ID      string   `json:"id"`
	At      int64    `json:"at"`
	Author  string   `json:"author"`
	Comment string   `json:"comment"`
	Changes []string `json:"changes"`
}

type history struct {
	Revisions []revision `json:"revisions"`
}

func (d *draft) plant(base string) plant.Draft {
	out := plant.Draft{Base: base, Comment: d.Comment, Changes: make([]plant.Change, len(d.Changes))}
	for i, c := range d.Changes {
		out.Changes[i] = plant.Change(c)
	}
	return out
}

func viewReport(r plant.Report) report {
	v := report{Faults: viewFaults(r.Faults), Effects: make([]effect, len(r.Effects))}
	for i, e := range r.Effects {
		v.Effects[i] = effect(e)
	}
	if r.Applied != nil {
		applied := viewRevision(*r.Applied)
		v.Applied = &applied
	}
	return v
}

func viewFaults(list []plant.Fault) []fault {
	v := make([]fault, len(list))
	for i, f := range list {
		v[i] = fault(f)
	}
	return v
}

func viewRevision(r plant.Revision) revision {
	v := revision{ID: r.ID, At: stream.Millis(r.At), Author: r.Author, Comment: r.Comment, Changes: r.Changes}
	if v.Changes == nil {
		v.Changes = []string{}
	}
	return v
}
