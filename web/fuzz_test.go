package web

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzDraft sends any body as a draft: it is taken or refused with a problem,
// it never breaks the server and never changes the plant.
func FuzzDraft(f *testing.F) {
	for _, seed := range []string{
		`{"changes":[{"device":"pump","tag":"speed","set":{"unit":"Hz"}}]}`,
		`{"changes":[{"device":"pump","tag":"speed","set":{"scale":"x","a\u0000b":""}}],"comment":"\ud800"}`,
		`{"changes":[]}`, `{"changes":null}`, `{"changes":{}}`, `[[[[[[[[`, `{"changes":[{"device":1e999}]}`, ``, `null`, `"`, "\xff\xfe",
	} {
		f.Add(seed)
	}
	var r *rig
	f.Fuzz(func(t *testing.T, body string) {
		if r == nil {
			r = newRig(t)
		}
		req := httptest.NewRequest("POST", "/api/draft/check", strings.NewReader(body))
		req.Host = "localhost"
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("If-Match", `"r0002"`)
		w := httptest.NewRecorder()
		r.handler.ServeHTTP(w, req)
		if w.Code >= 500 || (w.Code >= 400 && strings.HasPrefix(codeOf(w), "not a problem")) {
			t.Errorf("body %q: %d %s", body, w.Code, w.Body)
		}
		if id := r.plant.Revision().ID; id != "r0002" {
			t.Errorf("body %q changed the plant to %s", body, id)
		}
	})
}
