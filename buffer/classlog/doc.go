// Package classlog is one log: the samples of one class, from Append until
// they are deleted. A buffer is made of several of them. It joins the queue,
// the store and the accounts, and keeps the rules of what is written when;
// who reads, when to commit, and what goes first when space is short are
// for its owner, package buffer.
//
// Two locks, both the owner's, guard a Log. Methods that end in Locked need
// Common.Mu and never touch the disk. The others belong to the writer, one
// goroutine at a time; they block as long as the disk does, and take
// Common.Mu for moments. Cursor and ID may be used by anyone.
package classlog
