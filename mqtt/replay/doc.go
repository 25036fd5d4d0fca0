// Package replay knows what an uplink has to know to send old samples beside
// new ones: which are history, which were sent before, and which value of a
// topic the broker may keep as the current one. It blocks nowhere.
package replay
