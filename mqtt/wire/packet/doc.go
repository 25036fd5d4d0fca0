// Package packet looks at the packets that a broker sends before anything
// decodes them: how long they are, and whether their parts fit into them. It
// is what keeps a broken or hostile broker from allocating our memory, or
// from making the library panic.
//
// Nothing here blocks or allocates.
package packet
