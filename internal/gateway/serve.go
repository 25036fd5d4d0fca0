package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"fieldferry/internal/gateway/budget"
	"fieldferry/internal/gateway/finding"
	"fieldferry/web"
	"fieldferry/web/health"
)

// stuck is how long one driver call or one look at the buffer may last before
// the watchdog is no longer fed. All of them have deadlines far below it.
const stuck = 2 * time.Minute

// serve runs the page and the control socket, and tells systemd, until ctx
// ends.
func (g *Gateway) serve(ctx context.Context, hup <-chan os.Signal) error {
	srv, err := web.New(web.Deps{Plant: g, Editor: g, Control: g, Finder: finding.Finder{Find: g.foundLink}, Version: g.opts.Version, Log: g.log})
	if err != nil {
		return err
	}
	page, err := web.Listen(g.webConfig())
	if err != nil {
		return err
	}
	control, err := g.listenControl()
	if err != nil {
		return errors.Join(err, page.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	errs := make(chan error, 2)
	wg.Go(func() { errs <- srv.Serve(ctx, page); cancel() })
	wg.Go(func() { errs <- srv.ServeControl(ctx, control); cancel() })
	wg.Go(func() { g.feedWatchdog(ctx) })
	wg.Go(func() { g.reloadOn(ctx, hup) })
	wg.Go(func() { budget.Run(ctx, g.weighLinks) })
	address := "http://" + page.Addr().String()
	g.log.Info("gateway runs", "page", address, "version", g.opts.Version)
	g.notify(daemon.SdNotifyReady + "\nSTATUS=" + g.Sentence())
	if g.opts.Ready != nil {
		g.opts.Ready(address)
	}
	<-ctx.Done()
	g.notify(daemon.SdNotifyStopping)
	wg.Wait()
	g.log.Info("gateway stops")
	return errors.Join(<-errs, <-errs)
}

// reloadOn reloads whenever it is asked to; what is wrong goes to the log.
func (g *Gateway) reloadOn(ctx context.Context, hup <-chan os.Signal) {
	for {
		select {
		case <-hup:
			rep, err := g.Reload(ctx, "SIGHUP")
			if err != nil {
				g.log.Error("not reloaded", "err", err)
			}
			for _, f := range rep.Faults {
				g.log.Error("not reloaded", "file", f.File, "line", f.Line, "path", f.Path, "err", f.Text)
			}
		case <-ctx.Done():
			return
		}
	}
}

// listenControl opens the control socket, which only our user and root may
// use. A socket that a crash left behind is replaced; a living gateway's is not.
func (g *Gateway) listenControl() (net.Listener, error) {
	path := g.opts.controlSocket()
	if err := os.MkdirAll(g.opts.RuntimeDir, 0o700); err != nil {
		return nil, fmt.Errorf("runtime directory: %w", err)
	}
	if err := refuseSecond(path); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("replace the old control socket: %w", err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on the control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("protect the control socket: %w", err), ln.Close())
	}
	return ln, nil
}

func (o *Options) controlSocket() string { return filepath.Join(o.RuntimeDir, "control.sock") }

// refuseSecond fails if a living gateway answers on the control socket.
func refuseSecond(path string) error {
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return fmt.Errorf("another gateway answers on %s: stop it first, or use another --runtime", path)
	}
	return nil
}

// notify tells systemd; it does nothing where systemd did not ask.
func (g *Gateway) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		g.log.Warn("systemd not told", "err", err)
	}
}

// feedWatchdog keeps the unit's watchdog quiet as long as every link's
// goroutine and the buffer make progress, and its status line up to date.
func (g *Gateway) feedWatchdog(ctx context.Context) {
	every := 10 * time.Second
	limit, err := daemon.SdWatchdogEnabled(false)
	if err == nil && limit > 0 {
		every = limit / 3
	}
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			if who := g.stuckPart(now); who != "" {
				g.log.Error("no progress: the watchdog is not fed", "link", who)
				continue
			}
			state := "STATUS=" + g.Sentence()
			if limit > 0 {
				state += "\n" + daemon.SdNotifyWatchdog
			}
			g.notify(state)
		case <-ctx.Done():
			return
		}
	}
}

// stuckPart names a link that hangs inside its driver; empty: none. It waits
// for the buffer's lock on the way: if that hangs, the watchdog starves too.
func (g *Gateway) stuckPart(now time.Time) string {
	g.buffer.Stats()
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, p := range g.links {
		if p.runner.Stuck(now) > stuck {
			return name
		}
	}
	return ""
}

func (g *Gateway) webConfig() web.Config {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.config.Web
}

// Sentence is the state of the gateway in words, on one line, as the page says
// it: for systemd and for people.
func (g *Gateway) Sentence() string {
	st := g.Status()
	return strings.ReplaceAll(health.Of(&st, health.Counts{}).Sentence, "\n", "; ")
}
