// Package configs loads and checks the configuration: a directory with
// gateway.yaml, tagmap.yaml and profiles/*.yaml beside the bundled profiles,
// and the administrator's file, which wins. It is used by the gateway at
// start and reload, by the command line for `check`, and by the page, which
// checks a draft before it applies it.
//
// Load is strict and tells every fault at once with file, line, column, path
// and a hint. The result holds what every part of the gateway wants to know:
// the Config structs of the packages, the links with their devices and tags,
// how each tag is processed, a fingerprint per link, and where every setting
// comes from. A Gateway is not changed once loaded and may be read by any
// goroutine.
//
// The packages below do the work: strict reads YAML by layers, tagmap makes
// links of it, edit changes single settings in the text of a file, and
// revision saves files so that no power cut leaves half of one.
//
// Load reads files and blocks for as long as the disk does; nothing panics on
// what stands in them.
package configs
