package buffer

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fieldferry/buffer/inspect"
	"fieldferry/buffer/segment"
)

// TestFormat1IsLeftAlone: segments in the directory itself, where format 1 had
// them, are told of and not touched, and verify says so.
func TestFormat1IsLeftAlone(t *testing.T) {
	g := newRig(t, rigConfig())
	g.append(10)
	if err := g.b.Close(); err != nil {
		t.Fatal(err)
	}
	g.ends(true)
	h := segment.Header{Log: 5, ID: 1, FirstSeq: 1}
	page := h.Append(nil)
	page[8] = 1 // the version
	name := filepath.Join(g.cfg.Dir, h.Name())
	f, err := g.m.Create(name, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(page, 0); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	b, err := open(g.m, g.cfg, slog.New(slog.NewTextHandler(&log, nil)), g.lim)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "format 1") || !strings.Contains(text, "files=1") {
		t.Errorf("the log says\\n%s", text)
	}
	var got []byte
	g.m.Damage(name, func(p []byte) { got = slices.Clone(p) })
	if !bytes.Equal(got, page) {
		t.Errorf("the file has %d bytes, not the %d that were in it", len(got), len(page))
	}
	d, err := inspect.Open(g.m, g.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	told := false
	sum, err := d.Verify(t.Context(), func(f inspect.Finding) { told = told || f.File == h.Name() && f.Level == inspect.Note })
	if err != nil || !told || sum.Worst != inspect.Note || sum.Samples != 10 {
		t.Errorf("verify told of it: %v; %+v, %v", told, sum, err)
	}
}
