//go:build !race

package buffer

// stride is how many operations apart the crash loops cut.
const stride = 1
