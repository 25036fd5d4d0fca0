package opcua

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gopcua/opcua/ua"

	"fieldferry/drivers"
	"fieldferry/drivers/opcua/value"
	"fieldferry/drivers/opcua/wire"
	"fieldferry/tag"
)

// Write writes the value alone, converted to the node's type, and reads it
// back. Nothing is sent when the value does not fit the type.
func (g *group) Write(ctx context.Context, t *tag.Tag, v tag.Value) (tag.Sample, error) {
	i, known := g.index[t]
	if !known {
		return tag.Sample{}, errors.New("the tag is not of this group")
	}
	p := &g.points[i]
	if p.node == nil {
		return tag.Sample{}, fmt.Errorf("not written: %s", p.broken)
	}
	variant, err := g.c.prepareWrite(ctx, p, v)
	if err != nil {
		return tag.Sample{}, g.c.unwritten(g.device, err)
	}
	if err := g.c.write(ctx, p, variant); err != nil {
		return tag.Sample{}, err
	}
	return g.c.readBack(ctx, p), nil
}

// readBack reads a tag that was just written. The server has said that it took
// the value: where it cannot be read, that is the sample's quality and not a
// fault of the write.
func (c *conn) readBack(ctx context.Context, p *point) tag.Sample {
	got, err := c.readOnce(ctx, []*ua.NodeID{p.node}, ua.AttributeIDValue)
	if err != nil {
		return p.sample(value.Reading{Quality: tag.BadFor("written, not read back"), Time: time.Now().UTC()})
	}
	return p.sample(c.interpret(ctx, p, got[0], time.Now()))
}

// unwritten sorts an error from before anything was sent.
func (c *conn) unwritten(d *tag.Device, err error) error {
	var status ua.StatusCode
	if errors.Is(err, wire.ErrTimeout) || errors.As(err, &status) {
		return fmt.Errorf("not written: %w", c.deviceError(d, err))
	}
	return fmt.Errorf("not written: %w", err)
}

// prepareWrite converts a value to the type of the node, which is asked once.
func (c *conn) prepareWrite(ctx context.Context, p *point, v tag.Value) (*ua.Variant, error) {
	if p.kind == 0 {
		kind, err := c.kindOf(ctx, p.node)
		if err != nil {
			return nil, err
		}
		p.kind = kind
	}
	return value.Write(v, p.kind)
}

// kindOf finds the built-in type that a node takes: by its data type, or,
// where that is not of the standard, by the type of its present value.
func (c *conn) kindOf(ctx context.Context, n *ua.NodeID) (ua.TypeID, error) {
	one := []*ua.NodeID{n}
	rank, err := c.readOnce(ctx, one, ua.AttributeIDValueRank)
	if err != nil {
		return 0, err
	}
	if r, ok := content(rank[0]).(int32); ok && r >= 0 {
		return 0, errors.New("the node holds an array: arrays are not written")
	}
	typ, err := c.readOnce(ctx, one, ua.AttributeIDDataType)
	if err != nil {
		return 0, err
	}
	if value.IsBad(typ[0].Status) {
		return 0, fmt.Errorf("the server does not tell the node's type: %s", value.StatusName(typ[0].Status))
	}
	id, _ := content(typ[0]).(*ua.NodeID)
	if kind, known := value.Builtin(id); known {
		return kind, nil
	}
	now, err := c.readOnce(ctx, one, ua.AttributeIDValue)
	if err != nil {
		return 0, err
	}
	if v := now[0].Value; v != nil && v.Value() != nil && !v.Has(ua.VariantArrayValues) {
		return v.Type(), nil
	}
	return 0, fmt.Errorf("the node's data type %v is not known and it holds no value to go by", id)
}

// write sends the value. An answer that was lost leaves the outcome open.
func (c *conn) write(ctx context.Context, p *point, v *ua.Variant) error {
	dv := &ua.DataValue{Value: v, EncodingMask: ua.DataValueValue}
	req := &ua.WriteRequest{NodesToWrite: []*ua.WriteValue{{NodeID: p.node, AttributeID: ua.AttributeIDValue, Value: dv}}}
	if err := c.s.Err(); err != nil {
		return fmt.Errorf("not written: %w", err)
	}
	resp, err := wire.Call[*ua.WriteResponse](ctx, c.s, req, c.opt.Timeout)
	var status ua.StatusCode
	switch {
	case errors.As(err, &status) && !errors.Is(err, drivers.ErrLinkDown):
		return refused(status)
	case err != nil:
		return fmt.Errorf("%w: %w", drivers.ErrOutcomeUnknown, err)
	case len(resp.Results) != 1:
		return fmt.Errorf("%w: %w: %d results for one write", drivers.ErrOutcomeUnknown, wire.ErrProtocol, len(resp.Results))
	case value.IsBad(resp.Results[0]):
		return refused(resp.Results[0])
	}
	return nil
}

// refused is the error for a write that the server answered with a bad
// status. Some say only that the server does not know what became of it.
func refused(s ua.StatusCode) error {
	switch s {
	case ua.StatusBadTimeout, ua.StatusBadCommunicationError, ua.StatusBadNoCommunication,
		ua.StatusBadUnexpectedError, ua.StatusBadInternalError, ua.StatusBadRequestInterrupted,
		ua.StatusBadEncodingError, ua.StatusBadEncodingLimitsExceeded, ua.StatusBadResponseTooLarge:
		return fmt.Errorf("%w: the server says %s", drivers.ErrOutcomeUnknown, value.StatusName(s))
	}
	return fmt.Errorf("refused by the server: %s", value.StatusName(s))
}
