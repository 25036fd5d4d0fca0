package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// prefix begins what the guest says among what the kernel does.
const prefix = "powercut: "

func main() {
	runtime.LockOSThread() // the kernel dies with the thread that has started it
	if os.Getpid() == 1 && os.Getenv(envBoot) != "" {
		guest()
		return
	}
	cuts := flag.Int("cuts", 50, "how often the power is cut")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "decides when")
	dir := flag.String("dir", "build/powercut", "where the disk image and the console's text lie")
	kernel := flag.String("kernel", "linux.uml", "user-mode Linux, of the Debian package user-mode-linux")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	h, err := newHost(*dir, *kernel, rand.New(rand.NewPCG(*seed, 0)))
	if err == nil {
		err = h.run(ctx, *cuts)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "powercut (-seed %d): %v\n", *seed, err)
		os.Exit(1)
	}
}
