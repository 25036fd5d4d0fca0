//go:build ui

package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var built embed.FS

// dist returns the page as the front-end build left it.
func dist() fs.FS {
	sub, err := fs.Sub(built, "dist")
	if err != nil {
		panic(err) // "dist" is a valid path: it cannot fail
	}
	return sub
}
