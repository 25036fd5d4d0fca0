package web

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
)

// minPacked is the size in bytes from which an answer is compressed: smaller
// ones fit into one packet anyway.
const minPacked = 1400

// compressed packs the JSON of the API for clients that accept gzip: the list
// of all tags shrinks to a twentieth. What is packed already is left as it
// is, and so is the stream, whose events must not wait for each other.
func compressed(next http.Handler) (http.Handler, error) {
	wrap, err := gzhttp.NewWrapper(
		gzhttp.MinSize(minPacked),
		gzhttp.CompressionLevel(gzip.BestSpeed),
		gzhttp.EnableZstd(false), // browsers take it over TLS alone
		gzhttp.ContentTypes([]string{"application/json", "application/problem+json"}),
	)
	if err != nil {
		return nil, fmt.Errorf("compress answers: %w", err)
	}
	packed := wrap(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") && r.URL.Path != "/api/stream" {
			packed.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	}), nil
}
