package scripted

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uacp"
	"github.com/gopcua/opcua/uasc"
)

// Handler answers one request; nil is silence. It runs on the goroutine of
// the connection.
type Handler func(req ua.Request) ua.Response

// Server is a running server.
type Server struct {
	Endpoint string

	t       testing.TB
	handler Handler
	l       *uacp.Listener
	running sync.WaitGroup

	mu    sync.Mutex // guards the fields below
	seen  []string   // names of request types, in order
	conns []*uacp.Conn
}

// Start starts a server that ends with the test.
func Start(t testing.TB, h Handler) *Server {
	t.Helper()
	l, err := uacp.Listen(t.Context(), "opc.tcp://127.0.0.1:0/scripted", nil)
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	s := &Server{Endpoint: "opc.tcp://" + l.Addr().String() + "/scripted", t: t, handler: h, l: l}
	s.running.Go(s.accept)
	t.Cleanup(func() {
		l.Close()
		s.Cut()
		s.running.Wait()
	})
	return s
}

func (s *Server) accept() {
	for {
		c, err := s.l.Accept(context.Background())
		if err != nil {
			if strings.Contains(err.Error(), "closed") {
				return
			}
			continue // one client that left during the hello
		}
		s.mu.Lock()
		s.conns = append(s.conns, c)
		s.mu.Unlock()
		s.running.Go(func() { s.serve(c) })
	}
}

// serve answers the requests of one connection.
func (s *Server) serve(c *uacp.Conn) {
	defer c.Close()
	cfg := &uasc.Config{SecurityPolicyURI: ua.SecurityPolicyURINone, SecurityMode: ua.MessageSecurityModeNone,
		Lifetime: uint32(time.Hour / time.Millisecond), RequestTimeout: time.Minute}
	ch, err := uasc.NewServerSecureChannel("", c, cfg, make(chan error, 16), 1, 1, 1)
	if err != nil {
		s.t.Errorf("channel: %v", err)
		return
	}
	defer ch.Close()
	for {
		m := ch.Receive(context.Background())
		if errors.Is(m.Err, io.EOF) {
			return
		}
		req := m.Request()
		if m.Err != nil || req == nil {
			continue
		}
		s.note(req)
		resp := s.handler(req)
		if resp == nil {
			continue
		}
		if resp.Header() == nil {
			resp.SetHeader(header(ua.StatusGood))
		}
		resp.Header().RequestHandle = req.Header().RequestHandle
		if err := ch.SendResponseWithContext(context.Background(), m.RequestID, resp); err != nil {
			return
		}
	}
}

func (s *Server) note(req ua.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, name(req))
}

// name is the type of a request without its package.
func name(req ua.Request) string {
	switch req.(type) {
	case *ua.CreateSessionRequest:
		return "CreateSession"
	case *ua.ActivateSessionRequest:
		return "ActivateSession"
	case *ua.CloseSessionRequest:
		return "CloseSession"
	case *ua.ReadRequest:
		return "Read"
	case *ua.WriteRequest:
		return "Write"
	}
	return "other"
}

// Seen counts the requests of a kind: CreateSession, ActivateSession,
// CloseSession, Read, Write.
func (s *Server) Seen(kind string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.seen {
		if x == kind {
			n++
		}
	}
	return n
}

// Cut closes all connections.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
	s.conns = nil
}

func header(status ua.StatusCode) *ua.ResponseHeader {
	return &ua.ResponseHeader{
		Timestamp: time.Now(), ServiceResult: status, ServiceDiagnostics: &ua.DiagnosticInfo{},
		StringTable: []string{}, AdditionalHeader: ua.NewExtensionObject(nil),
	}
}

// Fault refuses a request.
func Fault(status ua.StatusCode) ua.Response {
	return &ua.ServiceFault{ResponseHeader: header(status)}
}

// Nodes answers as a well-behaved server with these values by node id. It
// knows Read, Write and the services of a session.
type Nodes map[string]*ua.DataValue

// Value makes a good value of the present.
func Value(v any) *ua.DataValue {
	dv := &ua.DataValue{Value: ua.MustVariant(v), SourceTimestamp: time.Now(), ServerTimestamp: time.Now()}
	dv.UpdateMask()
	return dv
}

// Handle is a Handler.
func (n Nodes) Handle(req ua.Request) ua.Response {
	switch r := req.(type) {
	case *ua.CreateSessionRequest:
		return &ua.CreateSessionResponse{
			SessionID: ua.NewNumericNodeID(1, 1), AuthenticationToken: ua.NewNumericNodeID(1, 2),
			RevisedSessionTimeout: r.RequestedSessionTimeout, ServerNonce: make([]byte, 32),
			ServerSignature: &ua.SignatureData{}, ServerEndpoints: []*ua.EndpointDescription{},
		}
	case *ua.ActivateSessionRequest:
		return &ua.ActivateSessionResponse{ServerNonce: make([]byte, 32)}
	case *ua.CloseSessionRequest:
		return &ua.CloseSessionResponse{}
	case *ua.ReadRequest:
		resp := new(ua.ReadResponse)
		for _, x := range r.NodesToRead {
			resp.Results = append(resp.Results, n.read(x))
		}
		return resp
	case *ua.WriteRequest:
		resp := new(ua.WriteResponse)
		for _, x := range r.NodesToWrite {
			resp.Results = append(resp.Results, n.write(x))
		}
		return resp
	}
	return Fault(ua.StatusBadServiceUnsupported)
}

func (n Nodes) read(x *ua.ReadValueID) *ua.DataValue {
	dv := n[x.NodeID.String()]
	switch {
	case dv == nil:
		return &ua.DataValue{Status: ua.StatusBadNodeIDUnknown, EncodingMask: ua.DataValueStatusCode}
	case x.AttributeID == ua.AttributeIDDataType:
		return Value(ua.NewNumericNodeID(0, uint32(dv.Value.Type())))
	case x.AttributeID == ua.AttributeIDValueRank:
		return Value(int32(-1))
	}
	return dv
}

func (n Nodes) write(x *ua.WriteValue) ua.StatusCode {
	if n[x.NodeID.String()] == nil {
		return ua.StatusBadNodeIDUnknown
	}
	n[x.NodeID.String()] = Value(x.Value.Value.Value())
	return ua.StatusGood
}
