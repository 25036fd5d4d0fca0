// Package difference tells two configurations apart: which of the parts that
// run may stay as they are, and what changes, in words. The gateway shows it
// before a change is applied and keeps it in the history. It does no I/O and
// keeps no state.
package difference

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"fieldferry/configs"
	"fieldferry/mapping/payload"
	"fieldferry/mqtt"
	"fieldferry/tag"
	"fieldferry/web/plant"
)

// Settings returns what is set for a tag of a configuration, by key.
type Settings func(cfg *configs.Gateway, t *tag.Tag) map[string]plant.Setting

// Effects tells what changes from one configuration to the next, in words that
// a plant engineer uses. changed are the links of next that restart.
func Effects(cur, next *configs.Gateway, changed []*tag.Link, settings Settings) []plant.Effect {
	var out []plant.Effect
	restarts := map[string]bool{}
	for _, l := range changed {
		restarts[l.Name] = true
	}
	for _, t := range next.Tags() {
		if !restarts[t.Device.Link.Name] {
			continue
		}
		old := cur.Find(t.Device.Name, t.Name)
		if old == nil {
			out = append(out, plant.Effect{Device: t.Device.Name, Tag: t.Name, Text: "new tag " + t.Path()})
			continue
		}
		out = append(out, tagEffects(settings(cur, old), settings(next, t), t)...)
	}
	for _, t := range cur.Tags() {
		if next.Find(t.Device.Name, t.Name) == nil {
			out = append(out, plant.Effect{Device: t.Device.Name, Tag: t.Name, Text: "tag " + t.Path() + " is removed"})
		}
	}
	out = append(out, linkEffects(cur, next, changed)...)
	out = append(out, uplinkEffects(cur, next)...)
	return append(out, laterEffects(cur, next)...)
}

func tagEffects(old, now map[string]plant.Setting, t *tag.Tag) (out []plant.Effect) {
	keys := map[string]bool{}
	for k := range old {
		keys[k] = true
	}
	for k := range now {
		keys[k] = true
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if a, b := old[k].Text, now[k].Text; a != b {
			out = append(out, plant.Effect{Device: t.Device.Name, Tag: t.Name,
				Text: fmt.Sprintf("%s of %s: %s → %s", k, t.Path(), orNothing(a), orNothing(b))})
		}
	}
	return out
}

func orNothing(s string) string {
	if s == "" {
		return "not set"
	}
	return s
}

func linkEffects(cur, next *configs.Gateway, changed []*tag.Link) (out []plant.Effect) {
	had, has := map[string]bool{}, map[string]bool{}
	for _, l := range cur.Links {
		had[l.Name] = true
	}
	for _, l := range next.Links {
		has[l.Name] = true
	}
	for _, l := range changed {
		text := fmt.Sprintf("link %s restarts: %s for a moment, all other links run on", l.Name, pausing(l))
		if !had[l.Name] {
			text = fmt.Sprintf("new link %s with %s", l.Name, deviceCount(l))
		}
		out = append(out, plant.Effect{Link: l.Name, Text: text})
	}
	for _, l := range cur.Links {
		if !has[l.Name] {
			out = append(out, plant.Effect{Link: l.Name, Text: fmt.Sprintf("link %s with %s is removed", l.Name, deviceCount(l))})
		}
	}
	return out
}

// laterEffects are the settings that a running gateway does not take over.
func laterEffects(cur, next *configs.Gateway) (out []plant.Effect) {
	const later = " changes take effect when the gateway is restarted"
	if cur.Buffer != next.Buffer {
		out = append(out, plant.Effect{Text: "buffer" + later})
	}
	if cur.Web != next.Web {
		out = append(out, plant.Effect{Text: "web" + later})
	}
	return out
}

// pausing says who pauses when a link restarts.
func pausing(l *tag.Link) string {
	if len(l.Devices) == 1 {
		return "device " + l.Devices[0].Name + " pauses"
	}
	return fmt.Sprintf("its %d devices pause", len(l.Devices))
}

func deviceCount(l *tag.Link) string {
	if len(l.Devices) == 1 {
		return "1 device"
	}
	return fmt.Sprintf("%d devices", len(l.Devices))
}

func uplinkEffects(cur, next *configs.Gateway) (out []plant.Effect) {
	old := map[string]int{}
	for i, u := range cur.Uplinks {
		old[u.Name] = i
	}
	for _, u := range next.Uplinks {
		i, had := old[u.Name]
		delete(old, u.Name)
		switch {
		case !had:
			out = append(out, plant.Effect{Text: "new uplink " + u.Name})
		case !SameUplink(cur, cur.Uplinks[i], next, u):
			out = append(out, plant.Effect{Text: "uplink " + u.Name + " connects anew"})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		out = append(out, plant.Effect{Text: "uplink " + name + " is removed; what it had not sent is given up"})
	}
	return out
}

// Vars are the placeholders that an uplink of a configuration has.
func Vars(cfg *configs.Gateway, c mqtt.Config) payload.Vars {
	return payload.Vars{Gateway: cfg.Name, Uplink: c.Name, Labels: cfg.Labels}
}

// SameUplink says whether an uplink runs the same in two configurations.
func SameUplink(a *configs.Gateway, ca mqtt.Config, b *configs.Gateway, cb mqtt.Config) bool {
	return reflect.DeepEqual(ca, cb) && reflect.DeepEqual(Vars(a, ca), Vars(b, cb))
}
