package modbus

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"fieldferry/cmd/gateway/console"
	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/recorder"
)

// framesFlags are the flags of frames.
type framesFlags struct {
	socket, kept, file string
	json               bool
}

func framesCmd() *cobra.Command {
	var f framesFlags
	c := &cobra.Command{
		Use:   "frames [LINK]",
		Short: "Show what has passed on a link of the running gateway",
		Long: `Prints the last frames of a link as its flight recorder has them: time,
direction, outcome, unit, bytes, and the frame in words. With --kept it prints
those around the first fault since the link started (no answer, a wrong, late
or foreign one, noise), or around the latest, which is renewed at most every ten
minutes. How many are recorded is the link's record_frames (200).

The output is a record that "fieldferry modbus replay" plays as a simulated
device.`,
		Example: "  fieldferry modbus frames line1 --kept first -o fault.txt",
		Args:    cobra.MaximumNArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return failed(f.run(c, args)) },
	}
	c.Flags().StringVar(&f.socket, "socket", console.DefaultSocket, "control socket of the running gateway")
	c.Flags().StringVar(&f.kept, "kept", "", "around a fault: first or last")
	c.Flags().StringVarP(&f.file, "output", "o", "", "write to this file instead of the terminal")
	c.Flags().BoolVar(&f.json, "json", false, "print as JSON")
	return c
}

func (f *framesFlags) run(c *cobra.Command, args []string) error {
	if f.kept != "" && f.kept != recorder.KeptFirst && f.kept != recorder.KeptLast {
		return console.Usage("--kept %q: use first or last", f.kept)
	}
	s := console.Socket(f.socket)
	link, err := f.link(c.Context(), s, args)
	if err != nil {
		return err
	}
	path := "/api/frames?link=" + url.QueryEscape(link)
	if f.kept != "" {
		path += "&kept=" + f.kept
	}
	var raw json.RawMessage
	if err := s.Call(c.Context(), http.MethodGet, path, nil, &raw); err != nil {
		return err
	}
	out := c.OutOrStdout()
	if f.file != "" {
		file, err := os.OpenFile(f.file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		defer file.Close()
		out = file
	}
	if f.json {
		_, err := fmt.Fprintln(out, console.SafeJSON(raw))
		return err
	}
	rec, err := decodeFrames(raw)
	if err != nil {
		return fmt.Errorf("the gateway's answer: %w", err)
	}
	if len(rec.Frames) == 0 && f.kept != "" {
		return errors.New("no fault was recorded on this link since it started")
	}
	_, err = rec.WriteTo(out)
	return err
}

// link is the link that is meant.
func (f *framesFlags) link(ctx context.Context, s console.Socket, args []string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	list, absent, err := links(ctx, s)
	if err != nil {
		return "", err
	}
	t := &target{}
	if _, err := t.only(list, absent); err != nil {
		return "", err
	}
	return t.link, nil
}

func decodeFrames(raw []byte) (*recorder.Record, error) {
	var in struct {
		Link   string `json:"link"`
		Kept   string `json:"kept"`
		Fault  int64  `json:"fault"`
		Frames []struct {
			At      int64  `json:"at"`
			Outcome string `json:"outcome"`
			Unit    int    `json:"unit"`
			PDU     string `json:"pdu"`
			Bytes   string `json:"bytes"`
		} `json:"frames"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, err
	}
	rec := &recorder.Record{Link: in.Link, Kept: in.Kept, Fault: time.UnixMicro(in.Fault).UTC()}
	for _, x := range in.Frames {
		pdu, err := hex.DecodeString(x.PDU)
		if err != nil {
			return nil, err
		}
		b, err := hex.DecodeString(x.Bytes)
		if err != nil {
			return nil, err
		}
		outcome, ok := recorder.ParseOutcome(x.Outcome)
		if !ok || x.Unit < 0 || x.Unit > 255 {
			return nil, fmt.Errorf("a frame of unit %d with outcome %q", x.Unit, x.Outcome)
		}
		f := recorder.Frame{At: time.UnixMicro(x.At).UTC(), Unit: byte(x.Unit), Outcome: outcome, Bytes: b}
		if len(pdu) > 0 {
			f.PDU = frame.PDU{Function: pdu[0], Data: pdu[1:]}
		}
		rec.Frames = append(rec.Frames, f)
	}
	return rec, nil
}
