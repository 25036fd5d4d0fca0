// Package hightest is for tests of any floor, and for nothing else.
package hightest
