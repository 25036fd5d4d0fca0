package web

import (
	"strings"
	"testing"
)

// TestFinding: what is asked about a link, and every way it can fail.
func TestFinding(t *testing.T) {
	r := newRig(t)
	const registers = `"address":"hr:100","data":"090a"`
	for _, c := range []struct {
		method, path, body string
		code               int
		want               string
	}{
		{"POST", "/api/probe", `{"link":"line1","unit":7,"request":"0300000001","limit_seconds":0.3}`, 200, `"outcome":"answered","code":0,"text":"","data":"090a"`},
		{"POST", "/api/probe", `{"link":"line1","unit":8,"request":"0300000001","limit_seconds":0.3}`, 200, `"outcome":"declined","code":2`},
		{"POST", "/api/probe", `{"link":"line1","unit":9,"request":"0300000001","limit_seconds":0.3}`, 200, `no answer within 300ms`},
		{"POST", "/api/probe", `{"link":"line9","unit":9,"request":"0300000001","limit_seconds":0.3}`, 404, `"code":"unknown_link"`},
		{"POST", "/api/probe", `{"link":"plc","unit":9,"request":"0300000001","limit_seconds":0.3}`, 503, `"code":"link_down"`},
		{"POST", "/api/probe", `{"link":"press","unit":9,"request":"0300000001","limit_seconds":0.3}`, 422, `cannot be asked`},
		{"POST", "/api/probe", `{"link":"line1","unit":7,"request":"03 x","limit_seconds":0.3}`, 422, `not hexadecimal`},
		{"POST", "/api/probe", `{"link":"line1","unit":256,"request":"0300000001","limit_seconds":0.3}`, 422, `body.unit`},
		{"POST", "/api/probe", `{"link":"line1","unit":1,"request":"0300000001","limit_seconds":11}`, 422, `body.limit_seconds`},
		{"POST", "/api/detect", `{` + registers + `,"shows":"231.4"}`, 200, `"match":"exact","score":8,"also":["int16"],"notes":[]`},
		{"POST", "/api/detect", `{` + registers + `,"limit":1}`, 200, `"more":1`},
		{"POST", "/api/detect", `{"address":"hr:100","data":"090a01"}`, 422, `3 bytes are not registers`},
		{"POST", "/api/detect", `{"address":"hr:100","data":"zzzz"}`, 422, `not hexadecimal`},
		{"GET", "/api/frames?link=line1", "", 200, `"text":"read holding registers 0"`},
		{"GET", "/api/frames?link=line1&kept=first", "", 200, `"frames":[]`},
		{"GET", "/api/frames?link=line9", "", 404, `"code":"unknown_link"`},
		{"GET", "/api/frames?link=line1&kept=some", "", 422, `kept`},
		{"GET", "/api/frames", "", 422, `link`},
	} {
		w := r.do(c.method, c.path, c.body)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s %s:\n got %d %s\nwant %d with %s", c.method, c.path, c.body, w.Code, w.Body, c.code, c.want)
		}
	}
}
