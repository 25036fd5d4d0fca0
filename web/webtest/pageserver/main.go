// Command pageserver serves the page over the made-up plant of webtest, for
// the browser tests and for work on the page. It prints its address as one
// line and runs until it is interrupted or its standard input ends.
//
// Lines on standard input act on the plant: "uplink down", "uplink up",
// "edit DEVICE TAG KEY TEXT" (as somebody else), "hold" and "go on" (stop and
// start the values), "drop" (close every connection and refuse new ones).
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"fieldferry/web"
	"fieldferry/web/webtest"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "loopback address")
	flag.Parse()
	if err := run(*listen); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(listen string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := webtest.New(time.Now)
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	srv, err := web.New(web.Deps{Plant: p, Editor: p, Control: p, Finder: p, Version: "0.1.0-test", Log: log})
	if err != nil {
		return err
	}
	ln, err := web.Listen(web.Config{Listen: listen})
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", ln.Addr())
	serving, drop := context.WithCancel(ctx)
	defer drop()
	var held atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() { move(ctx, p, &held) })
	go obey(p, &held, drop, stop) // ends with the process: a read of standard input cannot be interrupted
	err = srv.Serve(serving, ln)
	<-ctx.Done()
	wg.Wait()
	return err
}

func move(ctx context.Context, p *webtest.Plant, held *atomic.Bool) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if !held.Load() {
				p.Step()
			}
		}
	}
}

func obey(p *webtest.Plant, held *atomic.Bool, drop, stop func()) {
	defer stop()
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		if err := act(p, in.Text(), held, drop); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

func act(p *webtest.Plant, line string, held *atomic.Bool, drop func()) error {
	switch {
	case line == "uplink down", line == "uplink up":
		p.SetUplinkDown(line == "uplink down")
	case line == "hold", line == "go on":
		held.Store(line == "hold")
	case line == "drop":
		drop()
	case strings.HasPrefix(line, "edit "):
		f := strings.SplitN(line, " ", 5)
		if len(f) != 5 {
			return errors.New("edit DEVICE TAG KEY TEXT")
		}
		return p.ApplyAside(f[1], f[2], f[3], f[4])
	default:
		return fmt.Errorf("unknown line %q", line)
	}
	return nil
}
