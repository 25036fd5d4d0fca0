package web_test

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"fieldferry/web"
)

var update = flag.Bool("update", false, "write api/openapi.json anew")

// TestOpenAPIFile keeps the committed file equal to the code.
func TestOpenAPIFile(t *testing.T) {
	const file = "../api/openapi.json"
	want, err := web.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the code says (%d bytes, want %d): run go test ./web -run OpenAPIFile -update, then npm run api in web/ui", file, len(got), len(want))
	}
}
