// Package metrics shows the statistics of the gateway to Prometheus. Each
// scrape takes one snapshot of the plant; nothing is counted here and nothing
// blocks. Labels are link, device, uplink and reason, never tag: a plant has
// too many of them.
package metrics

import (
	"fmt"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"fieldferry/web/plant"
	"fieldferry/web/stream"
)

// Registry returns a registry with the gateway's figures and those of the Go
// runtime and the process.
func Registry(p plant.Plant, version string) (*prometheus.Registry, error) {
	r := prometheus.NewRegistry()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "fieldferry_build_info", Help: "The running program.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	info.Set(1)
	for _, c := range []prometheus.Collector{
		info, &collector{p}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return r, nil
}

type collector struct{ plant plant.Plant }

// figure is one metric and how to read it from a T.
type figure[T any] struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(*T) float64
}

func gauge[T any](name, help, label string, of func(*T) float64) figure[T] {
	return figure[T]{desc(name, help, label), prometheus.GaugeValue, of}
}

func counter[T any](name, help, label string, of func(*T) uint64) figure[T] {
	return figure[T]{desc(name, help, label), prometheus.CounterValue, func(t *T) float64 { return float64(of(t)) }}
}

func desc(name, help, label string) *prometheus.Desc {
	var labels []string
	if label != "" {
		labels = []string{label}
	}
	return prometheus.NewDesc("fieldferry_"+name, help, labels, nil)
}

func up(s plant.State) float64 {
	if s == plant.Up {
		return 1
	}
	return 0
}

var links = []figure[plant.Link]{
	gauge("link_up", "1 while the link is connected.", "link", func(l *plant.Link) float64 { return up(l.State) }),
	gauge("link_interval_seconds", "Shortest sampling interval asked for.", "link", func(l *plant.Link) float64 { return l.Requested.Seconds() }),
	gauge("link_cycle_seconds", "How long one round of all due reads takes.", "link", func(l *plant.Link) float64 { return l.Measured.Seconds() }),
	counter("link_cycles_total", "Rounds done.", "link", func(l *plant.Link) uint64 { return l.Cycles }),
	counter("link_overruns_total", "Reads skipped because the one before still ran.", "link", func(l *plant.Link) uint64 { return l.Overruns }),
	counter("link_connects_total", "Connections made.", "link", func(l *plant.Link) uint64 { return l.Connects }),
}

var devices = []figure[plant.Device]{
	gauge("device_up", "1 while the device answers.", "device", func(d *plant.Device) float64 { return up(d.State) }),
	gauge("device_round_trip_seconds", "Of the last answer.", "device", func(d *plant.Device) float64 { return d.RoundTrip.Seconds() }),
	counter("device_errors_total", "Answers missed or unusable.", "device", func(d *plant.Device) uint64 { return d.Errors }),
}

var uplinks = []figure[plant.Uplink]{
	gauge("uplink_up", "1 while the uplink is connected.", "uplink", func(u *plant.Uplink) float64 { return up(u.State) }),
	gauge("uplink_pending_samples", "Samples not delivered yet.", "uplink", func(u *plant.Uplink) float64 { return float64(u.Pending) }),
	gauge("uplink_in_flight_messages", "Messages sent and not yet acknowledged.", "uplink", func(u *plant.Uplink) float64 { return float64(u.InFlight) }),
	gauge("uplink_ack_delay_seconds", "Time from sending to acknowledgement.", "uplink", func(u *plant.Uplink) float64 { return u.AckDelay.Seconds() }),
	counter("uplink_delivered_samples_total", "Samples delivered.", "uplink", func(u *plant.Uplink) uint64 { return u.Delivered }),
	counter("uplink_refused_samples_total", "Samples put aside because the broker would never take them.", "uplink", func(u *plant.Uplink) uint64 { return u.Refused }),
}

var buffers = []figure[plant.Buffer]{
	gauge("buffer_up", "1 while the buffer can write.", "", func(b *plant.Buffer) float64 { return up(b.State) }),
	gauge("buffer_bytes", "Bytes in use.", "", func(b *plant.Buffer) float64 { return float64(b.Bytes) }),
	gauge("buffer_max_bytes", "Bound of the bytes in use.", "", func(b *plant.Buffer) float64 { return float64(b.MaxBytes) }),
	counter("buffer_appended_samples_total", "Samples appended.", "", func(b *plant.Buffer) uint64 { return b.Appended }),
}

var (
	oldest  = desc("uplink_oldest_pending_seconds", "Age of the oldest sample not delivered yet; 0: none.", "uplink")
	dropped = desc("buffer_dropped_samples_total", "Samples dropped before every uplink had them.", "reason")
	quality = desc("tags", "Readable tags by the quality of their latest value.", "quality")
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	describe(ch, links)
	describe(ch, devices)
	describe(ch, uplinks)
	describe(ch, buffers)
	ch <- oldest
	ch <- dropped
	ch <- quality
}

func describe[T any](ch chan<- *prometheus.Desc, figures []figure[T]) {
	for _, f := range figures {
		ch <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.plant.Status()
	for i := range s.Links {
		collect(ch, links, &s.Links[i], s.Links[i].Name)
	}
	for i := range s.Devices {
		collect(ch, devices, &s.Devices[i], s.Devices[i].Name)
	}
	for i := range s.Uplinks {
		u := &s.Uplinks[i]
		collect(ch, uplinks, u, u.Name)
		ch <- prometheus.MustNewConstMetric(oldest, prometheus.GaugeValue, age(s.Now, u.Oldest), u.Name)
	}
	collect(ch, buffers, &s.Buffer)
	for reason, n := range s.Buffer.Dropped {
		ch <- prometheus.MustNewConstMetric(dropped, prometheus.CounterValue, float64(n), reason)
	}
	n := stream.Survey(c.plant)
	for q, v := range map[string]int{"good": n.Tags - n.Uncertain - n.Bad - n.None, "uncertain": n.Uncertain, "bad": n.Bad, "none": n.None} {
		ch <- prometheus.MustNewConstMetric(quality, prometheus.GaugeValue, float64(v), q)
	}
}

func collect[T any](ch chan<- prometheus.Metric, figures []figure[T], t *T, label ...string) {
	for _, f := range figures {
		ch <- prometheus.MustNewConstMetric(f.desc, f.kind, f.of(t), label...)
	}
}

func age(now, t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return max(now.Sub(t).Seconds(), 0)
}
