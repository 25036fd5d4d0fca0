package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"fieldferry/cmd/gateway/console"
)

// control talks to a running gateway through its socket.
type control struct{ socket string }

func addSocketFlag(c *cobra.Command, socket *string) {
	c.Flags().StringVar(socket, "socket", console.DefaultSocket, "control socket of the running gateway")
}

// call sends a request and decodes the answer into out. Faults in the
// configuration are printed one by one.
func (c control) call(ctx context.Context, method, path string, out any) error {
	err := console.Socket(c.socket).Call(ctx, method, path, nil, out)
	var refused *console.Refusal
	var faults []fault
	if errors.As(err, &refused) && json.Unmarshal(refused.Faults, &faults) == nil && len(faults) > 0 {
		return report{Faults: faults}.print(os.Stdout)
	}
	return err
}
