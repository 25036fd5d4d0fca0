// Package sunspec finds out what a SunSpec device offers: the chain of models
// that it describes itself by, and where in its holding registers a point of a
// model lies. The driver asks it once per connection, for tags whose address
// is of the form sunspec:inverter.W.
//
// Walking the chain reads registers through a function that the caller gives,
// and ends after a bounded number of reads whatever the device answers. A
// Chain and a Point are plain data, safe for concurrent use.
//
// Sources: SunSpec Device Information Model Specification, version 1.1, for
// the chain, the types and their values for points not offered; the model
// definitions 1, 101-103, 111-113, 160, 201-204 and 211-214 of the repository
// sunspec/models, as of April 2026, for the points.
package sunspec
