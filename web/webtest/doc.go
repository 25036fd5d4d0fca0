// Package webtest is a made-up plant behind the page, for the tests of web
// and for work on the page without a gateway: three links, a dead device, a
// stale, an uncertain and a bad tag, an uplink that is behind, and an editor
// that really checks and applies. Values move when Step is called. It is not
// part of the product.
package webtest
