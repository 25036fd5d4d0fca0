// Package sample holds the annotated sample of a configuration, gateway.yaml
// and tagmap.yaml, which the package installs for a user to begin with. Its
// test takes the # away from every commented default and wants nothing to
// change.
package sample
