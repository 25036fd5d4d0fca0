// Package util is not named for what it provides.
package util
