package payload

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"fieldferry/tag"
)

// Vars are the placeholders that one uplink has for all of its tags. Labels
// are the gateway's.
type Vars struct {
	Gateway string
	Uplink  string
	Labels  map[string]string
}

// Item is a sample on its way to an uplink. Seq is its number in the buffer,
// 0 where there is none.
type Item struct {
	Sample     tag.Sample
	Seq        uint64
	Historical bool // it comes late, out of the buffer
	Unsynced   bool // the gateway's clock was not set when it was taken
}

// Message is what an uplink publishes.
type Message struct {
	Topic   string
	Payload []byte
	Retain  bool
}

// Encoder makes the messages of one uplink. Encode is called by one goroutine
// at a time; Topic, Own and CheckTopics by any, also meanwhile.
type Encoder struct {
	cfg   Config
	vars  Vars
	root  string
	topic []part
	time  timeFormat

	mu     sync.Mutex // guards the two maps; never held during I/O
	byTag  map[*tag.Tag]*entry
	byName map[name]*entry // the newest entry of each tag
}

// name tells a tag apart from all others; both parts may hold slashes.
type name struct{ device, tag string }

func nameOf(t *tag.Tag) name {
	if t.Device == nil {
		return name{tag: t.Name}
	}
	return name{t.Device.Name, t.Name}
}

// entry is all that is known of a tag. It is not changed once it is in a map,
// except for last, which belongs to Encode.
type entry struct {
	err     error // why the tag has no topic
	topic   string
	history string
	unit    string // as a member, ready to append: ,"unit":"°C"
	retain  bool
	last    *[2]lastGood // [1] for historical items; kept when the tag map changes
}

// lastGood is the value for on_bad: last. seq guards against a sample that is
// sent again getting a value from after it.
type lastGood struct {
	value tag.Value
	seq   uint64
}

// Compile checks c as Validate does, fills in the root and returns the
// encoder of an uplink. The error is tag.Faults.
func Compile(c Config, v Vars) (*Encoder, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	root, faults := resolveRoot(c.Root, v)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	topic, faults := parseTemplate("topic", c.Topic)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return &Encoder{
		cfg: c, vars: v, root: root, topic: topic, time: timeFormats[c.TimestampFormat],
		byTag: map[*tag.Tag]*entry{}, byName: map[name]*entry{},
	}, nil
}

// Own returns a topic of the gateway's own: {root}/_/ and the suffix, joined
// by slashes.
func (e *Encoder) Own(suffix ...string) string {
	return e.root + "/" + ownLevel + "/" + strings.Join(suffix, "/")
}

// Topic returns where the values of t go, root included. An error says why
// there is no such topic.
func (e *Encoder) Topic(t *tag.Tag) (string, error) {
	en := e.entry(t)
	return en.topic, en.err
}

// Encode appends the payload of it to dst and returns the message; Payload is
// the appended part alone and shares dst's memory. It does not block. An
// error means that the sample can never be sent as things are: its tag has no
// topic.
func (e *Encoder) Encode(dst []byte, it *Item) (Message, error) {
	en := e.entry(it.Sample.Tag)
	if en.err != nil {
		return Message{}, en.err
	}
	start := len(dst)
	dst = e.appendJSON(dst, en, it)
	m := Message{Topic: en.topic, Payload: dst[start:len(dst):len(dst)], Retain: en.retain && !it.Historical}
	if it.Historical {
		m.Topic = en.history
	}
	return m, nil
}

var errNoTag = &entry{err: errors.New("a sample without a tag has no topic")}

// entry looks t up, or works it out on the first time.
func (e *Encoder) entry(t *tag.Tag) *entry {
	if t == nil {
		return errNoTag
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	en := e.byTag[t]
	if en == nil {
		en = e.addLocked(t)
	}
	return en
}

// addLocked works t out. Samples out of the buffer bring new copies of the
// same tags with each segment: copies share an entry, and the map of pointers
// is emptied when most of it must be such copies, so that memory does not
// grow with the backlog.
func (e *Encoder) addLocked(t *tag.Tag) *entry {
	if len(e.byTag) > 2*len(e.byName)+1024 {
		clear(e.byTag)
	}
	key := nameOf(t)
	en := e.newEntry(t)
	old := e.byName[key]
	switch {
	case old == nil:
		en.last = new([2]lastGood)
	case old.same(en):
		en = old
	default:
		en.last = old.last
	}
	e.byName[key] = en
	e.byTag[t] = en
	return en
}

func (e *Encoder) newEntry(t *tag.Tag) *entry {
	rel, err := e.below(t)
	if err != nil {
		return &entry{err: fmt.Errorf("tag %s has no topic: %w", t.Path(), err)}
	}
	en := &entry{topic: e.root + "/" + rel, retain: e.cfg.Retain}
	en.history = en.topic
	if e.cfg.History == "separate" {
		en.history = e.Own("history", rel)
	}
	if t.Retain != nil {
		en.retain = *t.Retain
	}
	if t.Unit != "" {
		en.unit = string(appendString([]byte(`,"unit":`), t.Unit))
	}
	return en
}

func (a *entry) same(b *entry) bool {
	if a.err != nil || b.err != nil {
		return a.err != nil && b.err != nil && a.err.Error() == b.err.Error()
	}
	return a.topic == b.topic && a.history == b.history && a.unit == b.unit && a.retain == b.retain
}

// below returns the topic of t below the root.
func (e *Encoder) below(t *tag.Tag) (string, error) {
	var b strings.Builder
	for _, p := range e.topic {
		text, err := p.resolve(t, e.vars)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	rel := b.String()
	if rel == ownLevel || strings.HasPrefix(rel, ownLevel+"/") {
		return "", fmt.Errorf("%q lies below %s/_/, which is for the gateway's own topics", rel, e.root)
	}
	full := e.root + "/" + rel
	if e.cfg.History == "separate" {
		full = e.Own("history", rel) // the longer and deeper one
	}
	if err := checkTopic(full); err != nil {
		return "", fmt.Errorf("%q cannot be one: %w", full, err)
	}
	return rel, nil
}
