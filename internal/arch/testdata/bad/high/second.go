// This begins as it should not, and is a second comment.
package high
