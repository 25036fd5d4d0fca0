//go:build race

package buffer

// stride is how many operations apart the crash loops cut: with the race
// detector they only look for races.
const stride = 23
