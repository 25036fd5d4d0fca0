package sunspec

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrAbsent is wrapped by the error of a Read when the device answers that it
// has no such registers.
var ErrAbsent = errors.New("no such registers")

// ErrNone means that a device describes itself at none of the addresses where
// SunSpec has the description begin.
var ErrNone = errors.New("no SunSpec marker at 40000, 50000 or 0")

// Read reads holding registers, two bytes each.
type Read func(ctx context.Context, address, quantity int) ([]byte, error)

// bases are where the marker "SunS" may lie, in the order in which the
// specification recommends to look.
var bases = [...]int{40000, 50000, 0}

const (
	marker    = 0x53756E53 // "SunS"
	endModel  = 0xFFFF
	maxModels = 100 // no device has half as many
)

// Block is one model in a device.
type Block struct {
	Model  int
	Start  int // the register with the model's number
	Length int // registers behind the two of the head
}

// Chain is what a device says that it offers.
type Chain struct {
	Base   int // where the marker lies
	Blocks []Block
	Ended  bool // the chain has its end mark; some devices forget it
}

// Walk finds the marker and follows the chain of models. Its error wraps
// ErrNone when there is no marker, and what read returned when that is
// something else than ErrAbsent.
func Walk(ctx context.Context, read Read) (*Chain, error) {
	for _, base := range bases {
		w, err := words(ctx, read, base)
		switch {
		case errors.Is(err, ErrAbsent):
			continue
		case err != nil:
			return nil, fmt.Errorf("look for the SunSpec marker at %d: %w", base, err)
		case uint32(w[0])<<16|uint32(w[1]) == marker:
			return follow(ctx, read, base)
		}
	}
	return nil, ErrNone
}

func follow(ctx context.Context, read Read, base int) (*Chain, error) {
	c := &Chain{Base: base}
	at := base + 2
	for len(c.Blocks) < maxModels {
		if at > 65534 {
			return nil, fmt.Errorf("the chain of SunSpec models leads beyond register 65535, from %s", c.last())
		}
		w, err := words(ctx, read, at)
		if errors.Is(err, ErrAbsent) && len(c.Blocks) > 0 {
			return c, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the head of the SunSpec model at %d: %w", at, err)
		}
		model, length := int(w[0]), int(w[1])
		switch {
		case model == endModel:
			c.Ended = true
			return c, nil
		case model == 0 || length == 0:
			return nil, fmt.Errorf("the chain of SunSpec models breaks off at %d, after %s: model %d of length %d", at, c.last(), model, length)
		}
		c.Blocks = append(c.Blocks, Block{Model: model, Start: at, Length: length})
		at += 2 + length
	}
	return nil, fmt.Errorf("the chain of SunSpec models at %d does not end after %d models", base, maxModels)
}

func (c *Chain) last() string {
	if len(c.Blocks) == 0 {
		return "the marker"
	}
	b := c.Blocks[len(c.Blocks)-1]
	return fmt.Sprintf("model %d at %d", b.Model, b.Start)
}

func words(ctx context.Context, read Read, at int) ([2]uint16, error) {
	b, err := read(ctx, at, 2)
	if err != nil {
		return [2]uint16{}, err
	}
	if len(b) != 4 {
		return [2]uint16{}, fmt.Errorf("%d bytes where 4 were asked for", len(b))
	}
	return [2]uint16{binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])}, nil
}
