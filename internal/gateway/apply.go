package gateway

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"fieldferry/configs"
	"fieldferry/configs/revision"
	"fieldferry/drivers"
	"fieldferry/internal/gateway/budget"
	"fieldferry/internal/gateway/difference"
	"fieldferry/mapping"
	"fieldferry/mapping/calc"
	"fieldferry/tag"
)

// load reads a configuration directory with what this gateway knows beside it.
func (g *Gateway) load(dir string, drafts map[string][]byte) (*configs.Gateway, error) {
	return load(g.opts, dir, g.calc, drafts)
}

// Check loads a configuration as a gateway would, and runs nothing. The error
// wraps configs.Faults when it has faults.
func Check(o Options) (*configs.Gateway, error) { return load(o, o.ConfigDir, calc.New(nil), nil) }

func load(o Options, dir string, calcDriver drivers.Driver, drafts map[string][]byte) (*configs.Gateway, error) {
	cfg, err := configs.Load(dir, configs.LoadOptions{
		Admin: o.AdminFile, Drivers: map[string]drivers.Driver{"calc": calcDriver}, Across: calc.Bind, Drafts: drafts,
	})
	if err == nil {
		budget.SetStateDirs(cfg.Links, cfg.Buffer.Dir)
	}
	return cfg, err
}

// adopt puts a configuration into force: what did not change is not touched.
// The caller holds applying.
func (g *Gateway) adopt(next *configs.Gateway) error {
	g.setRules(next)
	changed := g.changedLinks(next)
	gone, olds := g.stopLinks(next, changed)
	g.dropTags(gone, next)
	err := g.startLinks(next, changed, olds)
	err = errors.Join(err, g.adoptUplinks(next))
	tags := listTags(next)
	g.mu.Lock()
	g.config, g.fault, g.tags = next, "", tags
	g.generation++
	g.mu.Unlock()
	if err == nil {
		g.keepGood(next)
	}
	return err
}

// changedLinks are the links of next that do not run as they should.
func (g *Gateway) changedLinks(next *configs.Gateway) []*tag.Link {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []*tag.Link
	for _, l := range next.Links {
		p := g.links[l.Name]
		if p == nil || p.fingerprint != next.Fingerprint(l) {
			out = append(out, l)
		}
	}
	return out
}

// stopLinks stops the links that changed or are gone, all at once, and
// returns their tables by name.
func (g *Gateway) stopLinks(next *configs.Gateway, changed []*tag.Link) (gone []*linkPart, tables map[string]*mapping.Table) {
	stays := map[string]bool{}
	for _, l := range next.Links {
		stays[l.Name] = true
	}
	for _, l := range changed {
		stays[l.Name] = false
	}
	g.mu.Lock()
	for name, p := range g.links {
		if !stays[name] {
			gone = append(gone, p)
			delete(g.links, name)
		}
	}
	g.mu.Unlock()
	var wg sync.WaitGroup
	tables = map[string]*mapping.Table{}
	for _, p := range gone {
		wg.Go(p.stop)
		tables[p.link.Name] = p.table
	}
	wg.Wait()
	return gone, tables
}

// dropTags forgets the values of tags that the next tag map does not have.
func (g *Gateway) dropTags(gone []*linkPart, next *configs.Gateway) {
	for _, p := range gone {
		for _, d := range p.link.Devices {
			for _, t := range d.Tags {
				if next.Find(d.Name, t.Name) == nil {
					g.store.Remove(t)
				}
			}
		}
	}
}

// startLinks starts links with the deadband state of their former lives.
func (g *Gateway) startLinks(cfg *configs.Gateway, links []*tag.Link, olds map[string]*mapping.Table) error {
	// Every tag has its cell before a computed one looks for it.
	for _, l := range links {
		for _, d := range l.Devices {
			for _, t := range d.Tags {
				g.store.Cell(t)
			}
		}
	}
	var errs []error
	for _, l := range links {
		p, err := g.startLink(l, cfg.Fingerprint(l), cfg.Mapping, olds[l.Name])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		g.mu.Lock()
		g.links[l.Name] = p
		g.mu.Unlock()
	}
	return errors.Join(errs...)
}

// adoptUplinks stops what changed or is gone and starts what is missing. The
// position of a removed uplink is given up, and the ledger says so.
func (g *Gateway) adoptUplinks(next *configs.Gateway) error {
	wanted := map[string]bool{}
	var errs []error
	for _, c := range next.Uplinks {
		wanted[c.Name] = true
		g.mu.Lock()
		p := g.uplinks[c.Name]
		g.mu.Unlock()
		if p != nil && difference.SameUplink(p.of, p.config, next, c) {
			continue
		}
		if p != nil {
			g.removeUplink(p)
		}
		n, err := g.startUplink(next, c)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		g.mu.Lock()
		g.uplinks[c.Name] = n
		g.mu.Unlock()
	}
	g.mu.Lock()
	var gone []*uplinkPart
	for name, p := range g.uplinks {
		if !wanted[name] {
			gone = append(gone, p)
		}
	}
	g.mu.Unlock()
	for _, p := range gone {
		g.removeUplink(p)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	g.forgetUplinks(next)
	return errors.Join(errs...)
}

func (g *Gateway) removeUplink(p *uplinkPart) {
	g.mu.Lock()
	delete(g.uplinks, p.config.Name)
	g.mu.Unlock()
	p.stop()
}

// lastGood is where the last configuration that ran is kept.
const lastGood = ".last-good"

// loadOrLastGood loads the configuration, or the last good one when it has
// faults; fault says why then.
func loadOrLastGood(o Options) (cfg *configs.Gateway, fault string, err error) {
	cfg, err = load(o, o.ConfigDir, calc.New(nil), nil)
	var faults configs.Faults
	if !errors.As(err, &faults) {
		return cfg, "", err
	}
	good := filepath.Join(o.ConfigDir, lastGood)
	if _, serr := os.Stat(good); serr != nil {
		return nil, "", err
	}
	cfg, lerr := load(o, good, calc.New(nil), nil)
	if lerr != nil {
		return nil, "", err // what is wrong now matters more than what was
	}
	return cfg, faults[0].Error() + more(len(faults)-1), nil
}

func more(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return " (and one more fault)"
	}
	return fmt.Sprintf(" (and %d more faults)", n)
}

// runsNewest says that what runs is what lies on the disk.
func (g *Gateway) runsNewest() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fault == ""
}

// keepGood keeps a configuration that runs, so that a later broken one does
// not keep the gateway from starting. Where that is not possible it is told,
// and the gateway runs all the same.
func (g *Gateway) keepGood(cfg *configs.Gateway) {
	if err := copyGood(g.opts.ConfigDir, cfg); err != nil {
		g.log.Warn("the last good configuration is not kept", "err", err)
	}
}

func copyGood(dir string, cfg *configs.Gateway) error {
	good, next := filepath.Join(dir, lastGood), filepath.Join(dir, lastGood+".next")
	if err := os.RemoveAll(next); err != nil {
		return err
	}
	for _, f := range cfg.Files {
		if filepath.IsAbs(f.Name) {
			continue // the administrator's file is not ours to keep
		}
		text, err := revision.Dir(dir).ReadFile(f.Name)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(next, f.Name)), 0o700); err != nil {
			return err
		}
		if err := revision.Dir(next).WriteFile(f.Name, text, ""); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(good); err != nil {
		return err
	}
	return os.Rename(next, good)
}
