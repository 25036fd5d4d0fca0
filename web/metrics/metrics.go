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
	gauge("uplink_backlog_samples", "Those of them that live samples go before.", "uplink", func(u *plant.Uplink) float64 { return float64(u.Backlog) }),
	gauge("uplink_in_flight_messages", "Messages sent and not yet acknowledged.", "uplink", func(u *plant.Uplink) float64 { return float64(u.InFlight) }),
	gauge("uplink_ack_delay_seconds", "Time from sending to acknowledgement.", "uplink", func(u *plant.Uplink) float64 { return u.AckDelay.Seconds() }),
	counter("uplink_delivered_samples_total", "Samples delivered.", "uplink", func(u *plant.Uplink) uint64 { return u.Delivered }),
	gauge("uplink_pending_bytes", "About what the samples not delivered yet take.", "uplink", func(u *plant.Uplink) float64 { return float64(u.PendingBytes) }),
	counter("uplink_produced_samples_total", "Samples that were for the uplink, over all restarts.", "uplink", func(u *plant.Uplink) uint64 { return u.Produced }),
	counter("uplink_settled_samples_total", "Samples delivered, over all restarts.", "uplink", func(u *plant.Uplink) uint64 { return u.Settled }),
	counter("uplink_filtered_samples_total", "Samples not meant for the uplink, over all restarts.", "uplink", func(u *plant.Uplink) uint64 { return u.Filtered }),
	counter("uplink_refused_samples_total", "Samples put aside because the broker would never take them.", "uplink", func(u *plant.Uplink) uint64 { return u.Refused }),
}

var buffers = []figure[plant.Buffer]{
	gauge("buffer_up", "1 while the buffer can write.", "", func(b *plant.Buffer) float64 { return up(b.State) }),
	gauge("buffer_bytes", "Bytes in use.", "", func(b *plant.Buffer) float64 { return float64(b.Bytes) }),
	gauge("buffer_max_bytes", "Bound of the bytes in use.", "", func(b *plant.Buffer) float64 { return float64(b.MaxBytes) }),
	counter("buffer_appended_samples_total", "Samples appended.", "", func(b *plant.Buffer) uint64 { return b.Appended }),
	counter("buffer_skipped_samples_total", "Samples that never had to be written.", "", func(b *plant.Buffer) uint64 { return b.Skipped }),
	counter("buffer_oversized_samples_total", "Samples whose value was too large to keep.", "", func(b *plant.Buffer) uint64 { return b.Oversized }),
	counter("buffer_written_bytes_total", "Bytes written.", "", func(b *plant.Buffer) uint64 { return b.Written }),
	counter("buffer_failures_total", "Writes and syncs that failed.", "", func(b *plant.Buffer) uint64 { return b.Failures }),
	gauge("buffer_segments", "Files in use.", "", func(b *plant.Buffer) float64 { return float64(b.Segments) }),
	gauge("buffer_memory_bytes", "Bytes that are not durable yet.", "", func(b *plant.Buffer) float64 { return float64(b.InMemory) }),
	gauge("buffer_set_aside_files", "Damaged files that are kept.", "", func(b *plant.Buffer) float64 { return float64(b.Aside) }),
	gauge("buffer_set_aside_bytes", "Bytes of them.", "", func(b *plant.Buffer) float64 { return float64(b.AsideSize) }),
	gauge("buffer_last_sync_seconds", "How long the last sync took.", "", func(b *plant.Buffer) float64 { return b.Syncs.Last.Seconds() }),
	gauge("buffer_max_sync_seconds", "How long the longest sync of this run took.", "", func(b *plant.Buffer) float64 { return b.Syncs.Max.Seconds() }),
}

var (
	oldest  = desc("uplink_oldest_pending_seconds", "Age of the oldest sample not delivered yet; 0: none.", "uplink")
	dropped = desc("buffer_dropped_samples_total", "Samples dropped before every uplink had them.", "reason")
	failing = desc("buffer_degraded_seconds", "For how long the buffer cannot write; 0: it can.", "")
	syncs   = desc("buffer_sync_seconds", "How long syncs of the disk take.", "")
	lost    = prometheus.NewDesc("fieldferry_uplink_dropped_samples_total", "Samples that the buffer lost before the uplink had them, over all restarts.", []string{"uplink", "reason"}, nil)
	seen    = prometheus.NewDesc("fieldferry_link_seen_total", "What the driver counts on the link, by kind: damaged, late, foreign and the like.", []string{"link", "kind"}, nil)
	noted   = desc("link_notes", "How many things somebody should look at on the link, such as another master.", "link")
	aside   = prometheus.NewDesc("fieldferry_uplink_put_aside_samples_total", "Samples that the broker would never take, over all restarts.", []string{"uplink", "reason"}, nil)
	quality = desc("tags", "Readable tags by the quality of their latest value.", "quality")
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	describe(ch, links)
	describe(ch, devices)
	describe(ch, uplinks)
	describe(ch, buffers)
	ch <- oldest
	for _, d := range []*prometheus.Desc{dropped, failing, syncs, lost, aside, seen, noted, quality} {
		ch <- d
	}
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
		l := &s.Links[i]
		collect(ch, links, l, l.Name)
		byReason(ch, seen, l.Counts, l.Name)
		ch <- prometheus.MustNewConstMetric(noted, prometheus.GaugeValue, float64(len(l.Notes)), l.Name)
	}
	for i := range s.Devices {
		collect(ch, devices, &s.Devices[i], s.Devices[i].Name)
	}
	for i := range s.Uplinks {
		u := &s.Uplinks[i]
		collect(ch, uplinks, u, u.Name)
		ch <- prometheus.MustNewConstMetric(oldest, prometheus.GaugeValue, age(s.Now, u.Oldest), u.Name)
		byReason(ch, lost, u.Dropped, u.Name)
		byReason(ch, aside, u.PutAside, u.Name)
	}
	collect(ch, buffers, &s.Buffer)
	byReason(ch, dropped, s.Buffer.Dropped)
	ch <- prometheus.MustNewConstMetric(failing, prometheus.GaugeValue, age(s.Now, s.Buffer.Failing))
	ch <- histogram(syncs, &s.Buffer.Syncs)
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

func byReason(ch chan<- prometheus.Metric, d *prometheus.Desc, counts map[string]uint64, label ...string) {
	for reason, n := range counts {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), append(label, reason)...)
	}
}

func histogram(d *prometheus.Desc, t *plant.Times) prometheus.Metric {
	up := map[float64]uint64{}
	for bound, n := range t.Up {
		up[bound.Seconds()] = n
	}
	return prometheus.MustNewConstHistogram(d, t.Count, t.Sum.Seconds(), up)
}

func age(now, t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return max(now.Sub(t).Seconds(), 0)
}
