package gateway

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"fieldferry/configs"
	"fieldferry/configs/revision"
	"fieldferry/internal/gateway/difference"
	"fieldferry/tag"
	"fieldferry/web/plant"
)

var (
	_ plant.Editor  = (*Gateway)(nil)
	_ plant.Control = (*Gateway)(nil)
)

// Revision returns the running revision.
func (g *Gateway) Revision() plant.Revision {
	g.mu.Lock()
	defer g.mu.Unlock()
	return plant.Revision{ID: g.config.Version, At: g.started}
}

func (g *Gateway) revisions() *revision.Store { return revision.Open(revision.Dir(g.opts.ConfigDir)) }

// History returns what was applied, newest first.
func (g *Gateway) History(_ context.Context, limit int) ([]plant.Revision, error) {
	all, err := g.revisions().List()
	if err != nil {
		return nil, fmt.Errorf("list revisions: %w", err)
	}
	var out []plant.Revision
	for _, r := range all[:min(limit, len(all))] {
		out = append(out, pageRevision(r))
	}
	return out, nil
}

// pageRevision names a revision as the page names the running one.
func pageRevision(r revision.Revision) plant.Revision {
	p := plant.Revision{ID: cmp.Or(r.Config, r.Version), At: r.Time, Author: r.Author, Comment: r.Comment, Changes: r.Changes}
	if p.Author == "" && len(p.Changes) == 0 {
		p.Changes = []string{r.Name + " as it was before the next change"}
	}
	return p
}

// Check tells what a draft would do.
func (g *Gateway) Check(_ context.Context, d plant.Draft) (plant.Report, error) {
	g.applying.Lock()
	defer g.applying.Unlock()
	p, err := g.plan(d)
	if err != nil {
		return plant.Report{}, err
	}
	return p.report, nil
}

// Apply saves a draft and puts it into force.
func (g *Gateway) Apply(_ context.Context, d plant.Draft, author string) (plant.Report, error) {
	g.applying.Lock()
	defer g.applying.Unlock()
	p, err := g.plan(d)
	if err != nil || len(p.report.Faults) > 0 || len(p.report.Effects) == 0 {
		return p.report, err
	}
	words := inWords(p.report.Effects)
	r, err := g.revisions().Save(revision.Change{
		Name: configs.TagMapFile, Data: p.file, IfMatch: revision.Version(p.base), Author: author, Comment: d.Comment, Changes: words, Time: time.Now(),
		Config: p.next.Version,
	})
	if errors.Is(err, revision.ErrChanged) {
		return plant.Report{}, plant.ErrStale
	}
	if err != nil {
		g.log.Error("the tag map is not saved", "err", err)
		return plant.Report{Faults: []plant.Fault{{File: configs.TagMapFile, Text: fmt.Sprintf("the tag map cannot be saved: %v", err),
			Hint: "nothing was changed; let the gateway's user write to " + g.opts.ConfigDir}}}, nil
	}
	if err := g.adopt(p.next); err != nil {
		return plant.Report{}, fmt.Errorf("the change is saved, but not all of it runs: %w", err)
	}
	applied := pageRevision(r)
	p.report.Applied = &applied
	g.log.Info("configuration applied", "author", author, "changes", len(words), "revision", p.next.Version)
	return p.report, nil
}

// planned is a draft that was thought through.
type planned struct {
	base, file []byte // the tag map before and after
	next       *configs.Gateway
	report     plant.Report
}

// plan edits the tag map in memory and loads the result. The caller holds
// applying.
func (g *Gateway) plan(d plant.Draft) (planned, error) {
	g.mu.Lock()
	cur := g.config
	g.mu.Unlock()
	p := planned{}
	var err error
	p.base, err = revision.Dir(g.opts.ConfigDir).ReadFile(configs.TagMapFile)
	if err != nil {
		return p, fmt.Errorf("read the tag map: %w", err)
	}
	if d.Base != cur.Version || revision.Version(p.base) != fileVersion(cur, configs.TagMapFile) {
		return p, plant.ErrStale
	}
	p.file = p.base
	for _, c := range d.Changes {
		edited, err := configs.EditTag(p.file, c.Device, c.Tag, c.Set)
		if err != nil {
			p.report.Faults = append(p.report.Faults, plant.Fault{Device: c.Device, Tag: c.Tag, File: configs.TagMapFile, Text: err.Error()})
			continue
		}
		p.file = edited
	}
	if len(p.report.Faults) > 0 {
		return p, nil
	}
	if bytes.Equal(p.file, p.base) {
		return p, nil
	}
	p.next, err = g.load(g.opts.ConfigDir, map[string][]byte{configs.TagMapFile: p.file})
	var faults configs.Faults
	if errors.As(err, &faults) {
		p.report.Faults = pageFaults(faults, p.file)
		return p, nil
	}
	if err != nil {
		return p, err
	}
	p.report.Effects = g.difference(cur, p.next)
	return p, nil
}

func fileVersion(cfg *configs.Gateway, name string) string {
	for _, f := range cfg.Files {
		if f.Name == name {
			return f.Version
		}
	}
	return ""
}

// pageFaults says which field of which tag a fault belongs to, as far as that
// is written in the tag map.
func pageFaults(faults configs.Faults, tagMap []byte) []plant.Fault {
	out := make([]plant.Fault, len(faults))
	for i, f := range faults {
		out[i] = plant.Fault{File: f.File, Line: f.Line, Column: f.Column, Path: f.Path, Text: f.Text, Hint: f.Hint}
		if f.File == configs.TagMapFile {
			out[i].Device, out[i].Tag, out[i].Key = configs.Owner(tagMap, f.Path)
		}
	}
	return out
}

// difference tells what another configuration would change, in words.
func (g *Gateway) difference(cur, next *configs.Gateway) []plant.Effect {
	return difference.Effects(cur, next, g.changedLinks(next), g.settings)
}

func inWords(effects []plant.Effect) []string {
	words := make([]string, len(effects))
	for i, e := range effects {
		words[i] = e.Text
	}
	return words
}

// Reload reads the configuration directory again and puts it into force.
func (g *Gateway) Reload(_ context.Context, author string) (plant.Report, error) {
	g.applying.Lock()
	defer g.applying.Unlock()
	g.mu.Lock()
	cur := g.config
	g.mu.Unlock()
	next, err := g.load(g.opts.ConfigDir, nil)
	var faults configs.Faults
	if errors.As(err, &faults) {
		g.mu.Lock()
		g.fault = faults[0].Error() + more(len(faults)-1)
		g.mu.Unlock()
		file, _ := revision.Dir(g.opts.ConfigDir).ReadFile(configs.TagMapFile) // only to name the fields
		return plant.Report{Faults: pageFaults(faults, file)}, nil
	}
	if err != nil {
		return plant.Report{}, err
	}
	rep := plant.Report{Effects: g.difference(cur, next)}
	if err := g.adopt(next); err != nil {
		return plant.Report{}, fmt.Errorf("not all of the new configuration runs: %w", err)
	}
	g.log.Info("configuration reloaded", "author", author, "changes", len(rep.Effects), "revision", next.Version)
	rep.Applied = &plant.Revision{ID: next.Version, At: time.Now(), Author: author, Changes: inWords(rep.Effects)}
	g.record(cur, next, rep.Applied)
	return rep, nil
}

// record puts into the history what was edited outside of the page, file by
// file; the tag map, or else the first of them, tells what that changed.
func (g *Gateway) record(cur, next *configs.Gateway, r *plant.Revision) {
	words := r.Changes
	if len(words) == 0 {
		words = []string{"no setting has changed"}
	}
	edited := slices.DeleteFunc(slices.Clone(next.Files), func(f configs.File) bool {
		return filepath.IsAbs(f.Name) || fileVersion(cur, f.Name) == f.Version
	})
	if i := slices.IndexFunc(edited, func(f configs.File) bool { return f.Name == configs.TagMapFile }); i > 0 {
		edited[0], edited[i] = edited[i], edited[0]
	}
	for i, f := range edited {
		if i > 0 {
			words = []string{f.Name + " was edited as well"}
		}
		_, err := g.revisions().Record(revision.Change{
			Name: f.Name, IfMatch: f.Version, Author: r.Author, Changes: words, Time: r.At, Config: next.Version,
		})
		if err != nil {
			g.log.Warn("change not in the history", "file", f.Name, "err", err)
		}
	}
}

// Read asks the device for a tag now.
func (g *Gateway) Read(ctx context.Context, device, name string) (plant.Value, error) {
	c := g.store.Find(device, name)
	if c == nil {
		return plant.Value{}, fmt.Errorf("%s/%s: %w", device, name, plant.ErrUnknown)
	}
	t := c.Tag()
	g.mu.Lock()
	p := g.links[t.Device.Link.Name]
	g.mu.Unlock()
	now := time.Now()
	if p == nil || p.link != t.Device.Link {
		return plant.Value{Quality: tag.BadFor(tag.ReasonLinkDown), Time: now, Fresh: now}, nil
	}
	s, err := p.runner.Read(ctx, t)
	if err != nil {
		return plant.Value{Quality: tag.BadFor(err.Error()), Time: now, Fresh: now}, nil
	}
	return plant.Value{Value: p.table.Engineering(t, s.Value), Quality: s.Quality, Time: s.Time, Fresh: time.Now(), Version: c.Version()}, nil
}
