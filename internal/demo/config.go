//go:build demo

package demo

import (
	"embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed config
var files embed.FS

// WriteConfig writes the gateway's configuration for this plant into dir,
// which it makes. buffer is where the samples go; listen is the page's.
func (p *Plant) WriteConfig(dir, buffer, listen string) error {
	fill := strings.NewReplacer("$BUFFER", buffer, "$LISTEN", fmt.Sprintf("%q", listen), "$BROKER", fmt.Sprintf("%q", p.Broker),
		"$LINE", p.Line, "$METERS", p.Meters, "$SERIAL", p.Serial, "$PRESS", p.Press)
	return fs.WalkDir(files, "config", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("config", path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, rel)
		if d.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		text, err := files.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, []byte(fill.Replace(string(text))), 0o600)
	})
}

// Welcome tells a person where to look and what to type.
func (p *Plant) Welcome(out io.Writer, page, config string) {
	host, port, _ := strings.Cut(strings.TrimPrefix(p.Broker, "mqtt://"), ":")
	self, socket := os.Args[0], filepath.Join(filepath.Dir(config), "run", "control.sock")
	fmt.Fprintf(out, `
  Fieldferry demo: a bottling line (Modbus TCP), four energy meters, a
  pasteurizer (Modbus RTU on %s) and a press (OPC UA).

    page       %s
    messages   mosquitto_sub -h %s -p %s -t 'hamburg/#' -v
    write      mosquitto_pub -h %s -p %s -t 'hamburg/bottling/demo/_/set/filler/setpoint' -m 450
               (refused unless you started with --allow-writes)
    tag map    %s/tagmap.yaml
    reload     %s reload --socket %s
    status     %s status --socket %s
    read       %s read meter01/power --socket %s
%s
  The labeler falls silent for 20 of every 90 seconds. Ctrl-C ends everything.

`, p.Serial, page, host, port, host, port, config, self, socket, self, socket, self, socket, advice())
}

// advice tells where mosquitto_sub and mosquitto_pub come from, to who has
// none.
func advice() string {
	if _, err := exec.LookPath("mosquitto_sub"); err == nil {
		return ""
	}
	return "\n  mosquitto_sub and mosquitto_pub are in the package mosquitto-clients.\n"
}
