// Package lost has no place in the table.
package lost
