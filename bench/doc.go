// Package bench measures the hot path of a value across the packages that it
// passes: `make bench` runs it, docs/figures.md tells what it printed.
package bench
