// Package keep keeps one connection to one of several brokers, for ever.
//
// The first broker of the list that may be tried is tried. Each has pauses of
// its own, which grow with every failure, as fast as its kind deserves, and
// become short again only after a connection has lived for a while and was of
// use: a broker that accepts and hangs up, or two clients that push each
// other out, make no storm. What goes wrong is logged once for each kind.
package keep
