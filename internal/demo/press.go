//go:build demo

package demo

import (
	"context"
	"fmt"
	"net"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/server"
	"github.com/gopcua/opcua/ua"
)

// pressURI is the namespace of the press.
const pressURI = "urn:fieldferry:demo:press"

// press is an OPC UA server with a handful of variables, for loopback only:
// it checks neither password nor certificate.
type press struct {
	endpoint string
	srv      *server.Server
	ns       *server.NodeNameSpace
	nodes    map[string]*server.Node
	started  bool // set before play begins
}

func newPress() (*press, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a port for the press: %w", err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	p := &press{endpoint: fmt.Sprintf("opc.tcp://127.0.0.1:%d", port), nodes: map[string]*server.Node{}}
	p.srv = server.New(
		server.EnableSecurity("None", ua.MessageSecurityModeNone),
		server.EnableAuthMode(ua.UserTokenTypeAnonymous),
		server.EndPoint("127.0.0.1", port),
		server.ServerName("Demo press"),
		server.SetLogger(quiet{}),
	)
	p.ns = server.NewNodeNameSpace(p.srv, pressURI)
	root, err := p.srv.Namespace(0)
	if err != nil {
		return nil, fmt.Errorf("press: %w", err)
	}
	objects := p.ns.Objects()
	root.Objects().AddRef(objects, server.RefType(id.HasComponent), true)
	for name, zero := range map[string]any{"Force": 0.0, "Temperature": 0.0, "Strokes": uint32(0), "Running": false, "Program": ""} {
		n := p.ns.AddNewVariableStringNode(name, zero)
		objects.AddRef(n, server.RefType(id.HasComponent), true)
		p.nodes[name] = n
	}
	return p, nil
}

// quiet drops the server's own log lines.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

func (p *press) start(ctx context.Context) error {
	if err := p.srv.Start(ctx); err != nil {
		return fmt.Errorf("press on %s: %w", p.endpoint, err)
	}
	p.started = true
	return nil
}

// set changes a variable; before the server runs it would panic, so that it
// does nothing then.
func (p *press) set(name string, v any) {
	if !p.started {
		return
	}
	n := p.nodes[name]
	if n.SetAttribute(ua.AttributeIDValue, server.DataValueFromValue(v)) == nil {
		p.ns.ChangeNotification(n.ID())
	}
}
