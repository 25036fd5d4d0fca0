// Package calc is the pseudo-link behind computed tags: a driver whose devices
// are other tags.
//
// A computed tag has an expression over tags of any link:
//
//	sum(tags("inv*/power")) - tag("meter/house")
//
// tag("device/name") is the value of one tag. tags("pattern") is the list of
// the values of all tags whose device/name matches; * stands for any
// characters but a slash, ? for one, [a-f] for one of them. Names and patterns
// are written out, in quotes, so that the sources of an expression are known
// before it runs: Bind finds them, and refuses a name that no tag has and a
// tag that uses itself, directly or through others.
//
// Functions: sum, mean, min, max, count (of a list, or of several values),
// abs, ceil, floor, round (to so many digits), sqrt, mod. Operators:
// + - * / ** == != < <= > >= and or not in ?? and condition ? a : b. There are
// no loops and no variables: an expression takes time and memory in
// proportion to its length and its sources, both of which are limited.
//
// Numbers are double precision, and a fraction in the result is rounded to 15
// digits, so that 0.1 + 0.2 is 0.3. Single precision sources count as the
// number that they print as. A result that rests on an integer beyond 2^53
// is uncertain.
//
// Quality goes along. With require all, one bad source makes the result bad;
// a source counts as bad as long as it has no value. With require any, tags()
// leaves bad sources out, tag() of one is nil (tag("a") ?? 0), and the result
// is uncertain while some are missing; without any good source it is bad. An
// uncertain source makes the result uncertain for the same reason. The
// result's time is that of its newest source.
//
// A computed tag wakes when a source changes. It gathers changes for a moment,
// so that values read together count together, and gives at most one sample
// per sampling interval; in between nothing is computed. The values are those
// in live: scaled, and as last published where there is a deadband.
package calc
