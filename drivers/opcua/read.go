package opcua

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gopcua/opcua/ua"

	"fieldferry/drivers/opcua/value"
	"fieldferry/drivers/opcua/wire"
)

// result is what became of one node of a read.
type result struct {
	dv  *ua.DataValue
	at  time.Time // when the answer arrived
	err error     // the node broke the request that it was in, even alone
}

// readOnce reads an attribute of some nodes in one request; the answer has as
// many results, none nil.
func (c *conn) readOnce(ctx context.Context, ids []*ua.NodeID, attribute ua.AttributeID) ([]*ua.DataValue, error) {
	req := &ua.ReadRequest{TimestampsToReturn: ua.TimestampsToReturnBoth, NodesToRead: make([]*ua.ReadValueID, len(ids))}
	for i, n := range ids {
		req.NodesToRead[i] = &ua.ReadValueID{NodeID: n, AttributeID: attribute, DataEncoding: &ua.QualifiedName{}}
	}
	resp, err := wire.Call[*ua.ReadResponse](ctx, c.s, req, c.opt.Timeout)
	if err != nil {
		return nil, err
	}
	if len(resp.Results) != len(ids) {
		return nil, fmt.Errorf("%w: %d nodes asked for, %d answered", wire.ErrProtocol, len(ids), len(resp.Results))
	}
	for _, r := range resp.Results {
		if r == nil {
			return nil, fmt.Errorf("%w: an empty result", wire.ErrProtocol)
		}
	}
	return resp.Results, nil
}

// readAll reads the values of nodes in batches that the server takes. out has
// the length of ids.
func (c *conn) readAll(ctx context.Context, ids []*ua.NodeID, out []result) error {
	for len(ids) > 0 {
		n := min(c.batch(), len(ids))
		if err := c.readSplit(ctx, ids[:n], out[:n]); err != nil {
			return err
		}
		ids, out = ids[n:], out[n:]
	}
	return nil
}

// batch is how many nodes go into one request.
func (c *conn) batch() int {
	if n := int(c.narrow.Load()); n > 0 {
		return min(n, c.perRead)
	}
	return c.perRead
}

// readSplit reads one batch, and its halves when the server or the library
// cannot take it whole: one node with too large a value must not cost the
// others theirs.
func (c *conn) readSplit(ctx context.Context, ids []*ua.NodeID, out []result) error {
	got, err := c.readOnce(ctx, ids, ua.AttributeIDValue)
	switch {
	case err == nil:
		now := time.Now()
		for i := range got {
			out[i] = result{dv: got[i], at: now}
		}
		return nil
	case !divisible(err):
		return err
	case len(ids) == 1:
		out[0] = result{at: time.Now(), err: err}
		return nil
	}
	half := len(ids) / 2
	if errors.Is(err, ua.StatusBadTooManyOperations) {
		c.narrow.Store(int64(max(1, half)))
	}
	if err := c.readSplit(ctx, ids[:half], out[:half]); err != nil {
		return err
	}
	return c.readSplit(ctx, ids[half:], out[half:])
}

// divisible says that a smaller request may succeed where this one failed.
func divisible(err error) bool {
	if errors.Is(err, wire.ErrDecode) {
		return true
	}
	var status ua.StatusCode
	if !errors.As(err, &status) {
		return false
	}
	switch status {
	case ua.StatusBadTooManyOperations, ua.StatusBadResponseTooLarge, ua.StatusBadRequestTooLarge,
		ua.StatusBadEncodingLimitsExceeded, ua.StatusBadTCPMessageTooLarge,
		ua.StatusBadDecodingError, ua.StatusBadEncodingError:
		return true
	}
	return false
}

// reasonFor is the reason of a tag whose node broke its request.
func reasonFor(err error) string {
	var status ua.StatusCode
	if errors.As(err, &status) {
		return value.StatusName(status)
	}
	return "answer cannot be decoded"
}
