package trust

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"
)

// maxFile bounds what is read as a certificate.
const maxFile = 1 << 20

// Server loads the certificate that a server must show, DER or PEM; of a
// chain the first counts. It refuses one that no policy may use: no RSA key of
// 2048 to 4096 bits, a signature older than SHA-2, or outside of its validity.
func Server(path string, now time.Time) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("server certificate: %w", err)
	}
	if err := usable(&b, now); err != nil {
		return nil, fmt.Errorf("server certificate %s: %w", path, err)
	}
	return b, nil
}

func usable(b *[]byte, now time.Time) error {
	if len(*b) > maxFile {
		return errors.New("too large for a certificate")
	}
	if block, _ := pem.Decode(*b); block != nil {
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("it holds a %q, not a certificate", block.Type)
		}
		*b = block.Bytes
	}
	certs, err := x509.ParseCertificates(*b)
	if err != nil {
		return err
	}
	if len(certs) == 0 {
		return errors.New("it is empty")
	}
	*b = certs[0].Raw
	return check(certs[0], now)
}

func check(c *x509.Certificate, now time.Time) error {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	switch {
	case !ok:
		return fmt.Errorf("its key is %s, and OPC UA policies of this gateway take RSA", c.PublicKeyAlgorithm)
	case key.Size() < 256 || key.Size() > 512:
		return fmt.Errorf("its RSA key has %d bits: 2048 to 4096 are taken", key.Size()*8)
	case c.SignatureAlgorithm == x509.SHA1WithRSA || c.SignatureAlgorithm == x509.MD5WithRSA:
		return fmt.Errorf("it is signed with %s, which is broken", c.SignatureAlgorithm)
	case now.Before(c.NotBefore):
		return fmt.Errorf("it is valid from %s, and this gateway's clock says %s: is the clock right?",
			c.NotBefore.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case now.After(c.NotAfter):
		return fmt.Errorf("it expired on %s (this gateway's clock says %s)",
			c.NotAfter.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

// Same says whether what a server showed, a certificate or a chain that
// begins with it, is the pinned certificate.
func Same(pinned, shown []byte) bool {
	certs, err := x509.ParseCertificates(shown)
	return err == nil && len(certs) > 0 && bytes.Equal(certs[0].Raw, pinned)
}

// Thumbprint is the SHA-256 of a certificate, in hexadecimal, as people
// compare it.
func Thumbprint(der []byte) string { return fmt.Sprintf("%x", sha256.Sum256(der)) }
