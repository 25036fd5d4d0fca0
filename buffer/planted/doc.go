// Package planted shows that the tests of the buffer see: each of its tests
// plants one bug in a copy of a production file and expects that the named
// tests of the buffer fail with it, and pass without. The copy is put in the
// file's place for one build (go build -overlay); the sources stay as they are
// and know nothing of it.
//
//	make planted
//
// A bug whose text is not found exactly once, or that does not compile, is a
// failure: the table must follow the code.
package planted
