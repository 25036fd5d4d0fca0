package trust

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// Identity is our own certificate.
type Identity struct {
	Certificate []byte          // DER
	Key         *rsa.PrivateKey // its key
	URI         string          // the application URI, which servers compare with the certificate's
}

// The files in the directory: OwnFile holds certificate and key together, so
// that they cannot be told apart by a crash; PublicFile is the certificate
// alone, to be imported by the server.
const (
	OwnFile    = "own.pem"
	PublicFile = "own.der"
)

const (
	keyBits  = 2048
	validFor = 10 * 365 * 24 * time.Hour
)

// Own loads the certificate in dir, or makes one for a host there. The
// directory is made where it is missing; the key is readable by its owner
// alone. A certificate that cannot be used is reported, never replaced:
// servers may have been told to trust it.
func Own(dir, host string, now time.Time) (Identity, error) {
	path := filepath.Join(dir, OwnFile)
	id, err := load(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = create(dir, host, now); err != nil {
			return Identity{}, fmt.Errorf("make an own certificate in %s: %w", dir, err)
		}
		id, err = load(path)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("own certificate %s: %w", path, err)
	}
	public := filepath.Join(dir, PublicFile)
	if _, err := os.Stat(public); errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(public, id.Certificate, 0o644); err != nil {
			return Identity{}, fmt.Errorf("write our public certificate: %w", err)
		}
	}
	return id, nil
}

func load(path string) (Identity, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Identity{}, err
	}
	var id Identity
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "CERTIFICATE":
			id.Certificate = block.Bytes
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return Identity{}, fmt.Errorf("private key: %w", err)
			}
			id.Key, _ = key.(*rsa.PrivateKey)
		}
	}
	if id.Certificate == nil || id.Key == nil {
		return Identity{}, errors.New("it does not hold a certificate and an RSA key")
	}
	cert, err := x509.ParseCertificate(id.Certificate)
	if err != nil {
		return Identity{}, err
	}
	if pub, ok := cert.PublicKey.(*rsa.PublicKey); !ok || !pub.Equal(&id.Key.PublicKey) {
		return Identity{}, errors.New("certificate and key do not belong together")
	}
	if len(cert.URIs) == 0 {
		return Identity{}, errors.New("the certificate names no application URI")
	}
	id.URI = cert.URIs[0].String()
	return id, nil
}

// create makes the certificate under a name of its own and links it into
// place: of two processes at it the first wins, and both load the same.
func create(dir, host string, now time.Time) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	text, err := generate(host, now)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".own-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	err = os.Link(tmp.Name(), filepath.Join(dir, OwnFile))
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// notHost is what may not stand in a URN or a DNS name.
var notHost = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// URI is the application URI of a gateway on a host.
func URI(host string) string {
	return "urn:" + notHost.ReplaceAllString(host, "-") + ":fieldferry"
}

// generate makes a key and the self-signed certificate that servers of all
// kinds took in trials (Part 6, 6.2.2).
func generate(host string, now time.Time) ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	uri, err := url.Parse(URI(host))
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "Fieldferry", Organization: []string{"Fieldferry"}},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(validFor),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment |
			x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		SignatureAlgorithm:    x509.SHA256WithRSA,
		DNSNames:              []string{notHost.ReplaceAllString(host, "-")},
		URIs:                  []*url.URL{uri},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})...), nil
}
