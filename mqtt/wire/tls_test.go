package wire_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"fieldferry/mqtt/brokertest"
	"fieldferry/mqtt/wire"
)

func TestTLS(t *testing.T) {
	ours, foreign := brokertest.NewAuthority(t), brokertest.NewAuthority(t)
	hour := time.Now().Add(time.Hour)
	cert, key := ours.Issue("line3", hour)
	alien, alienKey := foreign.Issue("line3", hour)
	stale, staleKey := ours.Issue("stale", time.Now().Add(-time.Hour))
	for _, c := range []struct {
		name string
		tls  wire.TLS
		kind wire.Kind
		err  string // empty: it connects
	}{
		{"good", wire.TLS{CAFile: ours.File, CertFile: cert, KeyFile: key}, 0, ""},
		{"name", wire.TLS{CAFile: ours.File, CertFile: cert, KeyFile: key, ServerName: "localhost"}, 0, ""},
		{"insecure", wire.TLS{CertFile: cert, KeyFile: key, Insecure: true}, 0, ""},
		{"other name", wire.TLS{CAFile: ours.File, CertFile: cert, KeyFile: key, ServerName: "broker-b"}, wire.BadTLS, "not broker-b"},
		{"unknown authority", wire.TLS{CAFile: foreign.File, CertFile: cert, KeyFile: key}, wire.BadTLS, "certificate signed by unknown authority"},
		{"no client certificate", wire.TLS{CAFile: ours.File}, wire.BadTLS, "certificate required"},
		{"foreign client certificate", wire.TLS{CAFile: ours.File, CertFile: alien, KeyFile: alienKey}, wire.BadTLS, "remote error: tls"},
		{"expired client certificate", wire.TLS{CAFile: ours.File, CertFile: stale, KeyFile: staleKey}, wire.BadTLS, "remote error: tls"},
		{"wrong key", wire.TLS{CAFile: ours.File, CertFile: cert, KeyFile: alienKey}, wire.Local, "private key does not match public key"},
		{"missing file", wire.TLS{CAFile: "/nonexistent/ca.pem"}, wire.Local, "CA file: open /nonexistent/ca.pem"},
		{"no certificate in the file", wire.TLS{CAFile: key}, wire.Local, "holds no PEM certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := brokertest.StartOn(t, ours.Listen(), brokertest.Script{})
			o := options(t, "mqtts://"+b.Addr())
			o.TLS = c.tls
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			cl, err := wire.Connect(ctx, o)
			if c.err == "" {
				if err != nil {
					t.Fatalf("Connect: %v", err)
				}
				if err := cl.Publish(ctx, &wire.Message{Topic: "a"}); err != nil {
					t.Errorf("Publish: %v", err)
				}
				cl.Disconnect(wire.Success)
				return
			}
			if cl != nil {
				cl.Disconnect(wire.Success)
			}
			var e *wire.Error
			if !errors.As(err, &e) || e.Kind != c.kind || !strings.Contains(e.Error(), c.err) {
				t.Errorf("Connect: got %v, want kind %d: ...%s...", err, c.kind, c.err)
			}
		})
	}
}

func TestRenewedCertificateNeedsNoRestart(t *testing.T) {
	a := brokertest.NewAuthority(t)
	b := brokertest.StartOn(t, a.Listen(), brokertest.Script{})
	o := options(t, "mqtts://"+b.Addr())
	o.TLS.CAFile = a.File
	o.TLS.CertFile, o.TLS.KeyFile = a.Issue("line3", time.Now().Add(-time.Hour))
	if _, err := wire.Connect(context.Background(), o); err == nil {
		t.Fatal("an expired certificate was accepted")
	}
	a.Issue("line3", time.Now().Add(time.Hour))
	connect(t, o)
}

func TestPlainBrokerBehindMqtts(t *testing.T) {
	b := brokertest.Start(t, brokertest.Script{})
	_, err := wire.Connect(context.Background(), options(t, "mqtts://"+b.Addr()))
	var e *wire.Error
	if !errors.As(err, &e) {
		t.Fatalf("Connect: got %v, want a *wire.Error", err)
	}
	if e.Kind != wire.BadTLS && e.Kind != wire.Unreachable {
		t.Errorf("Connect: got %v (kind %d)", e, e.Kind)
	}
}
