// Package request reads what a command topic receives and writes what is
// answered.
//
// A command is a JSON object,
//
//	{"value":1450,"id":"a-17","expires":"2026-11-20T08:27:30Z"}
//
// of which only value is required, or, where that is allowed, a plain value:
// a JSON scalar, or any other text, which is then a string. An object is read
// strictly, for a misspelt key could mean a write that was not meant: unknown
// and repeated keys are refused, and so is a value that is null.
//
// The answer is a JSON object:
//
//	{"id":"a-17","device":"pump","tag":"setpoint","outcome":"done","value":1450,"timestamp":"2026-11-20T08:27:00.123Z"}
//
// with a "reason" where the outcome is not done; value is what the tag reads
// after the write, or null.
//
// Nothing here blocks, and nothing panics on outside data.
package request
