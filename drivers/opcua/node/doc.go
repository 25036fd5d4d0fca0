// Package node reads the addresses of OPC UA nodes as people write them in a
// tag map, and turns them into node ids once the server's namespaces are
// known.
//
// Four forms are read:
//
//	i=2258                          a node of the standard namespace
//	ns=2;s=Line.Speed               a namespace by its index on the server
//	nsu=http://plant/ua;s=Speed     a namespace by its URI: survives a restart that moves indexes
//	s7:"DB1"."Speed"                an alias of the link's namespaces, then a string id
//
// The identifier is i= (number), s= (text), g= (GUID) or b= (base64); after
// an alias a bare text is a string id.
//
// Nothing here blocks, keeps state or panics; everything is safe for
// concurrent use.
package node
