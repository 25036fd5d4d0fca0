package wire

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/gopcua/opcua/ua"

	"fieldferry/drivers/opcua/trust"
)

// applicationName is how servers list us.
const applicationName = "Fieldferry"

// createSession asks for a session and checks that the answer comes from the
// pinned server. From here on the session has a token to be closed with.
func (s *Session) createSession(ctx context.Context) (*ua.CreateSessionResponse, error) {
	nonce := make([]byte, 32)
	rand.Read(nonce) // never fails
	sec := s.cfg.Security
	req := &ua.CreateSessionRequest{
		ClientDescription: &ua.ApplicationDescription{
			ApplicationURI:  s.cfg.ApplicationURI,
			ProductURI:      "urn:fieldferry",
			ApplicationName: ua.NewLocalizedText(applicationName),
			ApplicationType: ua.ApplicationTypeClient,
		},
		EndpointURL:             s.cfg.Endpoint,
		SessionName:             s.cfg.Name,
		ClientNonce:             nonce,
		RequestedSessionTimeout: float64(s.cfg.Session / time.Millisecond),
	}
	if sec.secured() {
		req.ClientCertificate = sec.Own.Certificate
	}
	start := time.Now()
	resp, err := Call[*ua.CreateSessionResponse](ctx, s, req, s.cfg.Timeout)
	if err != nil {
		return nil, err
	}
	s.rtt = time.Since(start)
	if resp.AuthenticationToken == nil || resp.ServerSignature == nil {
		return nil, fmt.Errorf("%w: a session without a token or a signature", ErrProtocol)
	}
	if sec.secured() {
		if !trust.Same(sec.Server, resp.ServerCertificate) {
			return nil, errors.New("the session shows another certificate than the channel")
		}
		if err := s.channel.VerifySessionSignature(resp.ServerCertificate, nonce, resp.ServerSignature.Signature); err != nil {
			return nil, fmt.Errorf("the server's signature is wrong: %w", err)
		}
	}
	s.token = resp.AuthenticationToken
	s.revised = time.Duration(min(max(resp.RevisedSessionTimeout, 0), 86_400_000)) * time.Millisecond
	return resp, nil
}

// activate says who we are.
func (s *Session) activate(ctx context.Context, created *ua.CreateSessionResponse) error {
	token, err := s.identity(created)
	if err != nil {
		return err
	}
	signature, algorithm, err := s.channel.NewSessionSignature(created.ServerCertificate, created.ServerNonce)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	_, err = Call[*ua.ActivateSessionResponse](ctx, s, &ua.ActivateSessionRequest{
		ClientSignature:    &ua.SignatureData{Algorithm: algorithm, Signature: signature},
		LocaleIDs:          []string{"en"},
		UserIdentityToken:  ua.NewExtensionObject(token),
		UserTokenSignature: &ua.SignatureData{},
	}, s.cfg.Timeout)
	if err != nil && s.cfg.User.Name != "" {
		return fmt.Errorf("user %q: %w", s.cfg.User.Name, err)
	}
	return err
}

// identity makes the token of the configured user, in the form that the
// server's endpoint of our policy and mode asks for.
func (s *Session) identity(created *ua.CreateSessionResponse) (any, error) {
	want := ua.UserTokenTypeAnonymous
	if s.cfg.User.Name != "" {
		want = ua.UserTokenTypeUserName
	}
	offers, listed := s.offers(created.ServerEndpoints, want)
	if want == ua.UserTokenTypeAnonymous {
		if len(offers) > 0 {
			return &ua.AnonymousIdentityToken{PolicyID: offers[0].PolicyID}, nil
		}
		if listed {
			return nil, errors.New("the server takes no anonymous user: give auth.username")
		}
		return &ua.AnonymousIdentityToken{PolicyID: "Anonymous"}, nil
	}
	offer := s.choose(offers)
	if offer == nil {
		return nil, errors.New("the server offers no way to send a password that is allowed here")
	}
	password, algorithm, err := s.channel.EncryptUserPassword(offer.SecurityPolicyURI, s.cfg.User.Password, created.ServerCertificate, created.ServerNonce)
	if err != nil {
		return nil, fmt.Errorf("encrypt the password: %w", err)
	}
	return &ua.UserNameIdentityToken{
		PolicyID: offer.PolicyID, UserName: s.cfg.User.Name, Password: password, EncryptionAlgorithm: algorithm,
	}, nil
}

// offers lists the user token policies of a type at the server's endpoint of
// our policy and mode, and says whether there is such an endpoint at all.
func (s *Session) offers(endpoints []*ua.EndpointDescription, want ua.UserTokenType) (offers []*ua.UserTokenPolicy, listed bool) {
	policy, mode := ua.SecurityPolicyURINone, ua.MessageSecurityModeNone
	if s.cfg.Security.secured() {
		policy, mode = s.cfg.Security.Policy, s.cfg.Security.Mode
	}
	for _, e := range endpoints {
		if e == nil || e.SecurityPolicyURI != policy || e.SecurityMode != mode {
			continue
		}
		listed = true
		for _, t := range e.UserIdentityTokens {
			if t != nil && t.TokenType == want {
				offers = append(offers, t)
			}
		}
	}
	return offers, listed
}

// encrypting are the policies that hide a password, best first.
var encrypting = []string{
	ua.SecurityPolicyURIAes256Sha256RsaPss,
	ua.SecurityPolicyURIAes128Sha256RsaOaep,
	ua.SecurityPolicyURIBasic256Sha256,
}

// choose picks how the password is sent. A policy that encrypts it comes
// first; plain is taken only inside an encrypted channel, or when the user
// allowed it. On a channel that is not secured the key to encrypt for is the
// server's own word, so that needs the user's consent as well.
func (s *Session) choose(offers []*ua.UserTokenPolicy) *ua.UserTokenPolicy {
	sec := s.cfg.Security
	if !sec.secured() && !s.cfg.User.AllowPlain {
		return nil
	}
	for _, policy := range encrypting {
		for _, o := range offers {
			if o.SecurityPolicyURI == policy || o.SecurityPolicyURI == "" && sec.Policy == policy {
				return o
			}
		}
	}
	hidden := sec.secured() && sec.Mode == ua.MessageSecurityModeSignAndEncrypt
	for _, o := range offers {
		plain := o.SecurityPolicyURI == ua.SecurityPolicyURINone || o.SecurityPolicyURI == "" && !sec.secured()
		if plain && (hidden || s.cfg.User.AllowPlain) {
			return o
		}
	}
	return nil
}
