package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"fieldferry/web/api"
)

// noncePlace stands in index.html where the nonce of each answer goes.
const noncePlace = "__NONCE__"

// page is the built page: index.html and compressed assets with a content
// hash in their names.
type page struct {
	index []byte
	files fs.FS // assets/*.gz; nil when built without the page
	hash  string
}

const plainPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Fieldferry</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><h1>Fieldferry runs</h1>
<p>This program was built without the web page. Run <code>make build</code> for one that has it.
The API is here: <a href="/api/status">/api/status</a>, <a href="/metrics">/metrics</a>.</p></body></html>
`

// newPage reads a build of the page; nil files make the plain one.
func newPage(files fs.FS) (*page, error) {
	if files == nil {
		return &page{index: []byte(plainPage), hash: "none"}, nil
	}
	index, err := fs.ReadFile(files, "index.html")
	if err != nil {
		return nil, fmt.Errorf("read the embedded page: %w", err)
	}
	if !bytes.Contains(index, []byte(noncePlace)) {
		return nil, errors.New("the embedded index.html has no place for the nonce")
	}
	sum := sha256.Sum256(index)
	return &page{index: index, files: files, hash: hex.EncodeToString(sum[:6])}, nil
}

// UI returns the content hash of the embedded page, "none" when the program
// was built without it.
func UI() string {
	p, err := newPage(dist())
	if err != nil {
		return "none"
	}
	return p.hash
}

// routes are the addresses of the page; any other is not found, so that a
// mistyped address does not look like the overview.
var routes = [...]string{"/{$}", "/devices", "/devices/{device}", "/tags", "/uplinks", "/changes"}

func (p *page) register(mux *http.ServeMux) {
	for _, r := range routes {
		mux.HandleFunc("GET "+r, p.serveIndex)
	}
	mux.HandleFunc("GET /assets/{file}", p.serveAsset)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		api.NewProblem(http.StatusNotFound, fmt.Sprintf("there is nothing at %s", r.URL.Path)).Write(w)
	})
}

func (p *page) serveIndex(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// A failed write means that the browser has gone: nobody to tell.
	_, _ = w.Write(bytes.ReplaceAll(p.index, []byte(noncePlace), []byte(nonce(r.Context()))))
}

// serveAsset serves an embedded file, which its name's hash makes immutable.
func (p *page) serveAsset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	var packed []byte
	err := fs.ErrNotExist
	if p.files != nil && fs.ValidPath("assets/"+name) {
		packed, err = fs.ReadFile(p.files, "assets/"+name+".gz")
	}
	if err != nil {
		api.NewProblem(http.StatusNotFound, fmt.Sprintf("there is nothing at %s", r.URL.Path)).Write(w)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	h.Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed)
		return
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		panic(fmt.Sprintf("embedded %s is not gzip: %v", name, err)) // a broken build; the gate answers
	}
	_, _ = io.Copy(w, z)
}
