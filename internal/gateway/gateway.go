package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"fieldferry/buffer"
	"fieldferry/command"
	"fieldferry/configs"
	"fieldferry/drivers"
	_ "fieldferry/drivers/all" // the protocols
	"fieldferry/live"
	"fieldferry/mapping/calc"
	"fieldferry/mqtt"
	"fieldferry/tag"
)

// Options say where a gateway finds its files.
type Options struct {
	ConfigDir  string // gateway.yaml, tagmap.yaml, profiles/
	AdminFile  string // what the administrator decided; it need not exist
	RuntimeDir string // control socket and the buffer's pending block; made if missing
	Version    string // of the program
	Log        *slog.Logger

	// Ready is called once everything runs, with the address of the page;
	// nil is allowed.
	Ready func(page string)
}

// Gateway is everything that runs. Make it with New, run it with Run, once.
type Gateway struct {
	opts     Options
	log      *slog.Logger
	started  time.Time
	store    *live.Store
	calc     drivers.Driver
	keys     map[string][]string // of tags that the page offers, by driver
	buffer   *buffer.Buffer
	audit    *command.Audit
	commands *command.Service

	// applying is held while a configuration is put into force, so that two
	// people take turns.
	applying sync.Mutex

	mu         sync.Mutex // guards the fields below
	config     *configs.Gateway
	fault      string     // why a newer configuration on disk does not run
	tags       []*tag.Tag // of config, sorted by device and name
	generation uint64     // of tags, grows with every configuration
	links      map[string]*linkPart
	uplinks    map[string]*uplinkPart
}

// New loads the configuration and opens the buffer; nothing runs yet. With a
// broken configuration the last good one is used, and the fault shown; where
// there is none, the error wraps configs.Faults.
func New(o Options) (*Gateway, error) {
	if o.AdminFile != "" {
		abs, err := filepath.Abs(o.AdminFile) // so that its name is told from those of the directory
		if err != nil {
			return nil, fmt.Errorf("the administrator's file: %w", err)
		}
		o.AdminFile = abs
	}
	cfg, fault, err := loadOrLastGood(o)
	if err != nil {
		return nil, err
	}
	if err := refuseSecond(o.controlSocket()); err != nil { // before it touches anything
		return nil, err
	}
	g := &Gateway{
		opts: o, log: o.Log, started: time.Now(), store: live.New(), config: cfg, fault: fault, generation: 1,
		links: map[string]*linkPart{}, uplinks: map[string]*uplinkPart{},
	}
	g.calc = calc.New(g.store)
	g.keys = tagKeys(g.calc)
	g.tags = listTags(cfg)
	if err := g.openState(cfg); err != nil {
		return nil, err
	}
	if fault != "" {
		g.log.Error("the configuration has faults: the last good one runs", "err", fault)
	}
	return g, nil
}

// openState opens what outlives a run: the buffer and the audit.
func (g *Gateway) openState(cfg *configs.Gateway) error {
	bc := cfg.Buffer
	if bc.RuntimeDir == buffer.Default().RuntimeDir {
		bc.RuntimeDir = g.opts.RuntimeDir
	}
	b, err := buffer.Open(buffer.DirFS(), bc, g.log)
	if err != nil {
		return fmt.Errorf("open the buffer in %s: %w", bc.Dir, err)
	}
	audit, err := command.OpenAudit(filepath.Join(filepath.Dir(bc.Dir), "audit", "commands.jsonl"))
	if err != nil {
		audit = nil // the service refuses every write then
		g.log.Error("commands cannot be recorded: all writes are refused", "err", err)
	}
	g.buffer, g.audit = b, audit
	g.commands = command.New(g.store, audit, g.log, time.Now)
	return nil
}

// Run starts everything and keeps it running until ctx ends; then it stops in
// order, so that what was read is kept and what was sent is known.
//
// hup asks for a reload, as SIGHUP does; nil for never.
func (g *Gateway) Run(ctx context.Context, hup <-chan os.Signal) (err error) {
	defer func() { err = errors.Join(err, g.closeState()) }()
	g.applying.Lock()
	g.mu.Lock()
	cfg := g.config
	g.mu.Unlock()
	err = g.startAll(cfg)
	g.applying.Unlock()
	defer g.stopAll()
	if err != nil {
		return err
	}
	if g.runsNewest() {
		g.keepGood(cfg)
	}
	return g.serve(ctx, hup)
}

// startAll starts uplinks before links, so that a new uplink's position is
// fixed before the first sample.
func (g *Gateway) startAll(cfg *configs.Gateway) error {
	g.setRules(cfg)
	if g.runsNewest() {
		g.forgetUplinks(cfg)
	}
	for _, u := range cfg.Uplinks {
		p, err := g.startUplink(cfg, u)
		if err != nil {
			return err
		}
		g.mu.Lock()
		g.uplinks[u.Name] = p
		g.mu.Unlock()
	}
	return g.startLinks(cfg, cfg.Links, nil)
}

// forgetUplinks gives up the positions of uplinks that were taken out of the
// configuration while the gateway was stopped: they would hold the log for
// ever. One that is only disabled keeps its position.
func (g *Gateway) forgetUplinks(cfg *configs.Gateway) {
	for _, r := range g.buffer.Stats().Readers {
		known := slices.Contains(cfg.Disabled, r.Name) || slices.ContainsFunc(cfg.Uplinks, func(u mqtt.Config) bool { return u.Name == r.Name })
		if known {
			continue
		}
		g.log.Warn("uplink is no longer configured: its samples are given up", "uplink", r.Name, "samples", r.Pending)
		if err := g.buffer.RemoveReader(r.Name); err != nil {
			g.log.Error("uplink not forgotten", "uplink", r.Name, "err", err)
		}
	}
}

// setRules tells the command service what this configuration allows.
func (g *Gateway) setRules(cfg *configs.Gateway) {
	g.commands.SetRules(command.Rules{
		Allow:  cfg.Admin.Writes,
		Limits: g.limitsOf,
		Lane:   g.laneOf,
	})
}

// listTags is the page's list of the tags of a configuration.
func listTags(cfg *configs.Gateway) []*tag.Tag {
	out := cfg.Tags()
	slices.SortFunc(out, func(a, b *tag.Tag) int {
		return cmp.Or(cmp.Compare(a.Device.Name, b.Device.Name), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// stopAll stops links before uplinks, so that the last samples and the death
// message can still be sent.
func (g *Gateway) stopAll() {
	g.applying.Lock()
	defer g.applying.Unlock()
	g.mu.Lock()
	links, uplinks := g.links, g.uplinks
	g.links, g.uplinks = map[string]*linkPart{}, map[string]*uplinkPart{}
	g.mu.Unlock()
	var wg sync.WaitGroup
	for _, p := range links {
		wg.Go(p.stop)
	}
	wg.Wait()
	for _, p := range uplinks {
		wg.Go(p.stop)
	}
	wg.Wait()
}

func (g *Gateway) closeState() error {
	return errors.Join(g.buffer.Close(), g.audit.Close())
}
