package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fieldferry/configs/profiles"
	"fieldferry/configs/regular"
	"fieldferry/configs/revision"
	"fieldferry/configs/strict"
	"fieldferry/configs/tagmap"
	"fieldferry/configs/tree"
	"fieldferry/drivers"
	"fieldferry/tag"
)

// The files of a configuration directory.
const (
	GatewayFile = "gateway.yaml"
	TagMapFile  = "tagmap.yaml"
)

// LoadOptions say where Load looks beside the directory. The zero value is
// for a directory alone.
type LoadOptions struct {
	// Admin is the administrator's file, whose settings win; it need not
	// exist. Empty: there is none.
	Admin string
	// Drivers are known beside, and win over, the registered ones.
	Drivers map[string]drivers.Driver
	// Across finds faults that concern several links, such as a computed tag
	// that names a tag of another one; nil: there are none. It is called
	// after the drivers' own checks and before Fingerprint.
	Across func(links []*tag.Link) []drivers.Fault
	// Drafts are contents to take instead of files of the directory, by name
	// (tagmap.yaml, profiles/x.yaml), to check what is not saved yet.
	Drafts map[string][]byte
}

// Load reads and checks a configuration directory. Its error is of type
// Faults and tells everything that is wrong; there is no Gateway then.
func Load(dir string, o LoadOptions) (*Gateway, error) {
	l := newLoader(dir, o)
	gw := l.parse(GatewayFile)
	tm := l.parse(TagMapFile)
	roots := l.profiles()
	l.gateway(gw, l.admin())
	l.rivals()
	if tm != nil {
		l.g.tags = tagmap.Build(tagmap.Input{
			Decoder: l.dec, Map: tm, Profiles: roots, Labels: l.g.Labels,
			Drivers: l.driver, Names: l.driverNames(), Warnings: &l.warn,
		})
		l.g.Links = l.g.tags.Links
		l.g.Disabled = append(l.g.Disabled, l.g.tags.Disabled...)
		if o.Across != nil {
			for _, f := range o.Across(l.g.Links) {
				l.g.tags.Fault(nil, f.Device, f.Tag, f.Fault)
			}
		}
		l.ports()
		l.topics()
	}
	if faults := l.report.Faults(); faults != nil {
		return nil, faults
	}
	l.finish()
	return l.g, nil
}

// loader holds what is needed during one Load.
type loader struct {
	dir    string
	o      LoadOptions
	report *tree.Report
	dec    *strict.Decoder
	g      *Gateway
	warn   tree.Report

	uplinks []uplink // the enabled ones
}

func newLoader(dir string, o LoadOptions) *loader {
	abs, err := filepath.Abs(dir)
	if err != nil {
		abs = dir
	}
	l := &loader{dir: abs, o: o, report: &tree.Report{}, g: &Gateway{}}
	l.dec = &strict.Decoder{Report: l.report, File: l.resolve, Synonyms: synonyms}
	return l
}

// resolve makes a file name in a setting absolute: below the directory, or
// below the secrets beside it where only that exists.
func (l *loader) resolve(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	here := filepath.Join(l.dir, name)
	secret := filepath.Join(filepath.Dir(l.dir), "secrets", name)
	if _, err := os.Stat(here); err != nil {
		if _, err := os.Stat(secret); err == nil {
			return secret
		}
	}
	return here
}

// parse reads and parses a file of the directory; nil when that is not
// possible, with a fault.
func (l *loader) parse(name string) *tree.Node {
	data, ok := l.o.Drafts[name]
	if !ok {
		var err error
		if data, err = readLimited(filepath.Join(l.dir, filepath.FromSlash(name))); err != nil {
			l.unreadable(name, err)
			return nil
		}
	}
	return l.parseData(name, data)
}

func (l *loader) parseData(name string, data []byte) *tree.Node {
	l.g.Files = append(l.g.Files, File{Name: name, Version: revision.Version(data)})
	return tree.Parse(name, data, l.report).Root
}

func (l *loader) unreadable(name string, err error) {
	text, hint := err.Error(), ""
	var pe *fs.PathError
	if errors.As(err, &pe) {
		text = fmt.Sprintf("%s: %v", pe.Op, pe.Err)
	}
	if errors.Is(err, regular.ErrIrregular) {
		text, hint = regular.ErrIrregular.Error(), "put a file in its place"
	}
	if errors.Is(err, fs.ErrNotExist) {
		text, hint = "there is no such file", "create it in "+l.dir
		if other := strings.TrimSuffix(name, ".yaml") + ".yml"; exists(filepath.Join(l.dir, other)) {
			hint = fmt.Sprintf("rename %s to %s", other, name)
		}
	}
	l.report.AddFile(name, text, hint)
}

// absolute makes a directory absolute, below the configuration directory.
func (l *loader) absolute(dir string) string {
	if dir == "" || filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(l.dir, dir)
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// readLimited reads a file, but no more than tree.Parse takes.
func readLimited(name string) ([]byte, error) {
	return regular.Read(name, tree.MaxSize+1)
}

// profiles parses the directory's own profiles, and the bundled ones that
// they do not replace.
func (l *loader) profiles() map[string]*tree.Node {
	roots := map[string]*tree.Node{}
	names := map[string]bool{}
	entries, err := os.ReadDir(filepath.Join(l.dir, "profiles"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.unreadable("profiles", err)
	}
	for _, e := range entries {
		switch base := e.Name(); {
		case strings.HasPrefix(base, "."):
		case strings.HasSuffix(base, ".yaml"):
			names["profiles/"+base] = true
		case strings.HasSuffix(base, ".yml"):
			l.report.AddFile("profiles/"+base, "a profile's file name ends in .yaml", "rename it")
		}
	}
	for name := range l.o.Drafts {
		if strings.HasPrefix(name, "profiles/") && strings.HasSuffix(name, ".yaml") {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		roots[strings.TrimSuffix(strings.TrimPrefix(name, "profiles/"), ".yaml")] = l.parse(name)
	}
	for name, data := range profiles.All() {
		if _, own := roots[name]; own {
			l.warn.AddFile("profiles/"+name+".yaml", "replaces the bundled profile of this name", "")
			continue
		}
		roots[name] = tree.Parse(tagmap.Bundled+name+".yaml", data, l.report).Root
	}
	return roots
}

func (l *loader) driver(name string) (drivers.Driver, bool) {
	if d, ok := l.o.Drivers[name]; ok {
		return d, true
	}
	return drivers.Lookup(name)
}

func (l *loader) driverNames() []string {
	names := append(drivers.Names(), slices.Collect(maps.Keys(l.o.Drivers))...)
	slices.Sort(names)
	return slices.Compact(names)
}

// finish fills in what a Gateway without faults has.
func (l *loader) finish() {
	g := l.g
	slices.SortFunc(g.Files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	h := sha256.New()
	for _, f := range g.Files {
		fmt.Fprintf(h, "%q %s\n", f.Name, f.Version)
	}
	g.Version = hex.EncodeToString(h.Sum(nil)[:16])
	g.Warnings = l.warn.Faults()
}
