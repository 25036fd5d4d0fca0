package api

import (
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Problem is an error answer after RFC 9457.
type Problem struct {
	Status int      `json:"status" doc:"The HTTP status code."`
	Title  string   `json:"title" doc:"The status in words."`
	Detail string   `json:"detail" doc:"What is wrong and what to do."`
	Code   string   `json:"code" doc:"Stable name of the problem, for programs and for the reference." example:"stale_revision"`
	ID     string   `json:"id,omitempty" doc:"Finds the cause in the gateway's log."`
	Errors []Detail `json:"errors,omitempty" doc:"What is wrong with the request, place by place."`
	Faults []fault  `json:"faults,omitempty" doc:"What is wrong with the configuration as the draft leaves it."`
}

// Detail is one thing wrong with a request.
type Detail struct {
	Location string `json:"location,omitempty" doc:"For example body.changes[0].device."`
	Message  string `json:"message"`
	Value    any    `json:"value,omitempty"`
}

// codes are the problems that follow from the status alone.
var codes = map[int]string{
	http.StatusBadRequest:            "bad_request",
	http.StatusForbidden:             "forbidden",
	http.StatusNotFound:              "not_found",
	http.StatusMethodNotAllowed:      "method_not_allowed",
	http.StatusNotAcceptable:         "not_acceptable",
	http.StatusRequestTimeout:        "request_timeout",
	http.StatusRequestEntityTooLarge: "too_large",
	http.StatusUnsupportedMediaType:  "unsupported_media_type",
	http.StatusMisdirectedRequest:    "foreign_host",
	http.StatusUnprocessableEntity:   "invalid",
	http.StatusInternalServerError:   "internal",
	http.StatusServiceUnavailable:    "unavailable",
	http.StatusGatewayTimeout:        "device_timeout",
}

// NewProblem returns a problem with the code that its status has, "error"
// when it has none.
func NewProblem(status int, detail string) *Problem {
	code := codes[status]
	if code == "" {
		code = "error"
	}
	return &Problem{Status: status, Title: http.StatusText(status), Detail: detail, Code: code}
}

func (p *Problem) Error() string { return p.Detail }

// GetStatus makes a Problem an answer of its status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType makes a Problem say what it is.
func (p *Problem) ContentType(ct string) string {
	if ct == "application/json" {
		return "application/problem+json"
	}
	return ct
}

// Write answers a request that reached no operation.
func (p *Problem) Write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	// The client is told by the status already; there is nobody to tell
	// that it has gone away.
	_ = json.NewEncoder(w).Encode(p)
}

func coded(status int, code, detail string) *Problem {
	p := NewProblem(status, detail)
	p.Code = code
	return p
}

// Internal hides an unexpected error from the client and logs it under the
// id that the answer carries.
func Internal(log *slog.Logger, what string, err any) *Problem {
	p := NewProblem(http.StatusInternalServerError, "")
	p.ID = rand.Text()[:10]
	p.Detail = "something went wrong inside the gateway; its log has the cause under id " + p.ID
	log.Error("request failed", "operation", what, "id", p.ID, "err", err)
	return p
}

// problemOf is what huma calls for errors of its own, such as a body that
// does not match the schema.
func problemOf(status int, detail string, errs ...error) huma.StatusError {
	p := NewProblem(status, detail)
	for _, err := range errs {
		if d, ok := err.(huma.ErrorDetailer); ok {
			e := d.ErrorDetail()
			p.Errors = append(p.Errors, Detail{e.Location, e.Message, e.Value})
		} else if err != nil {
			p.Errors = append(p.Errors, Detail{Message: err.Error()})
		}
	}
	return p
}

// huma takes its error type from a variable of its own, and from nowhere
// else, and so whether a list may be null; this is the one place where the
// house rule about init bends.
func init() {
	huma.NewError = problemOf
	huma.DefaultArrayNullable = false
}
