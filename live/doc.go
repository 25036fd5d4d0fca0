// Package live holds the latest sample of every tag, for the page, for
// births, for commands that look at another tag, and for computed tags.
//
// A Cell is written by the goroutine of its tag's link and read by anyone
// without a lock: readers never hold a link up. What a reader gets is always
// one whole sample, never a mixture of two. Nothing here blocks on I/O, and
// nothing is kept across a restart.
package live
