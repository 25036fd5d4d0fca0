package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// TestOwnOnce lets several callers make the certificate at once: all of them
// get the same, and it stays.
func TestOwnOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	ids := make([]Identity, 3)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			id, err := Own(dir, "edge 1", now)
			if err != nil {
				t.Errorf("Own: %v", err)
			}
			ids[i] = id
		})
	}
	wg.Wait()
	again, err := Own(dir, "another-name", now)
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range append(ids, again) {
		if string(id.Certificate) != string(ids[0].Certificate) || id.URI != "urn:edge-1:fieldferry" {
			t.Errorf("caller %d: got certificate %s with URI %q, want %s", i, Thumbprint(id.Certificate), id.URI, Thumbprint(ids[0].Certificate))
		}
	}
	info, err := os.Stat(filepath.Join(dir, OwnFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the key file: got %v, %v, want 0600", info.Mode(), err)
	}
	public, err := os.ReadFile(filepath.Join(dir, PublicFile))
	if err != nil || string(public) != string(again.Certificate) {
		t.Errorf("%s is not the certificate: %v", PublicFile, err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".own-*"))
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestOwnDamaged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, OwnFile)
	const content = "-----BEGIN CERTIFICATE-----\ntorn"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Own(dir, "edge", now); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Own with a damaged file: got %v, want an error that names it", err)
	}
	if b, _ := os.ReadFile(path); string(b) != content {
		t.Error("the damaged file was replaced")
	}
}

func TestServer(t *testing.T) {
	good, err := Own(filepath.Join(t.TempDir(), "a"), "server", now)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	elliptic, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	inPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: good.Certificate})
	tests := []struct {
		name string
		file []byte
		at   time.Time
		want string // part of the error; empty: taken
	}{
		{"DER", good.Certificate, now, ""},
		{"PEM", inPEM, now, ""},
		{"chain", append(append([]byte(nil), good.Certificate...), elliptic...), now, ""},
		{"expired", inPEM, now.Add(validFor + time.Hour), "expired on"},
		{"clock at 1970", inPEM, time.Unix(0, 0), "is the clock right"},
		{"elliptic", elliptic, now, "take RSA"},
		{"a key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}}), now, "not a certificate"},
		{"empty", nil, now, "empty"},
		{"junk", []byte("hello"), now, "server certificate"},
	}
	for _, tc := range tests {
		path := filepath.Join(t.TempDir(), "server.pem")
		if err := os.WriteFile(path, tc.file, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Server(path, tc.at)
		switch {
		case tc.want == "" && (err != nil || !Same(got, good.Certificate)):
			t.Errorf("%s: got %v, %v, want the certificate", tc.name, Thumbprint(got), err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: got %v, want an error with %q", tc.name, err, tc.want)
		}
	}
	if Same(good.Certificate, elliptic) || Same(good.Certificate, nil) || Same(good.Certificate, []byte("junk")) {
		t.Error("Same took another certificate")
	}
}
