// Package frame is what lies in the blocks of the buffer's files, as
// buffer/FORMAT.md describes it: samples, dictionaries, the accounts of
// readers, drops, clocks. It turns them into bytes and back; it decides
// nothing.
//
// Every decoder here takes arbitrary bytes: it returns ErrCorrupt, it never
// panics, and it never allocates much more than the bytes it was given.
// Nothing here blocks, and nothing is safe for concurrent use.
package frame

import "errors"

// ErrCorrupt is wrapped by every error about bytes that are not what the
// format says.
var ErrCorrupt = errors.New("corrupt")
