//go:build !ui

package web

import "io/fs"

// dist says that this program was built without the page.
func dist() fs.FS { return nil }
