package wire

import "fmt"

// Code is a reason code of MQTT 5 (section 2.4 of the standard). From 0x80 on
// it is a refusal.
type Code byte

// The codes that the uplink has to tell apart.
const (
	Success              Code = 0x00
	WithWill             Code = 0x04
	NoSubscribers        Code = 0x10
	Unspecified          Code = 0x80
	Malformed            Code = 0x81
	ProtocolError        Code = 0x82
	Implementation       Code = 0x83
	BadVersion           Code = 0x84
	BadClientID          Code = 0x85
	BadPassword          Code = 0x86
	NotAuthorized        Code = 0x87
	Unavailable          Code = 0x88
	Busy                 Code = 0x89
	Banned               Code = 0x8A
	ShuttingDown         Code = 0x8B
	BadMethod            Code = 0x8C
	KeepAliveTimeout     Code = 0x8D
	TakenOver            Code = 0x8E
	BadFilter            Code = 0x8F
	BadTopic             Code = 0x90
	IDInUse              Code = 0x91
	ReceiveMaximum       Code = 0x93
	BadAlias             Code = 0x94
	TooLarge             Code = 0x95
	RateTooHigh          Code = 0x96
	QuotaExceeded        Code = 0x97
	Administrative       Code = 0x98
	BadPayload           Code = 0x99
	NoRetain             Code = 0x9A
	NoQoS                Code = 0x9B
	UseAnother           Code = 0x9C
	Moved                Code = 0x9D
	NoShared             Code = 0x9E
	ConnectionRate       Code = 0x9F
	ConnectTime          Code = 0xA0
	NoSubscriptionIDs    Code = 0xA1
	NoWildcards          Code = 0xA2
	firstRefusal         Code = 0x80
	receiveMaximumUnsaid      = 65535 // what a broker means that does not announce one
)

var codeWords = map[Code]string{
	Success:           "success",
	WithWill:          "disconnect with will",
	NoSubscribers:     "nobody has subscribed",
	Unspecified:       "unspecified error",
	Malformed:         "malformed packet",
	ProtocolError:     "protocol error",
	Implementation:    "not accepted by this broker",
	BadVersion:        "protocol version not supported",
	BadClientID:       "client id not accepted",
	BadPassword:       "bad user name or password",
	NotAuthorized:     "not authorized",
	Unavailable:       "broker unavailable",
	Busy:              "broker busy",
	Banned:            "banned",
	ShuttingDown:      "broker is shutting down",
	BadMethod:         "authentication method not accepted",
	KeepAliveTimeout:  "keep-alive timeout",
	TakenOver:         "session taken over",
	BadFilter:         "topic filter not accepted",
	BadTopic:          "topic not accepted",
	IDInUse:           "packet id in use",
	ReceiveMaximum:    "receive maximum exceeded",
	BadAlias:          "topic alias not accepted",
	TooLarge:          "packet too large",
	RateTooHigh:       "message rate too high",
	QuotaExceeded:     "quota exceeded",
	Administrative:    "closed by an administrator",
	BadPayload:        "payload not accepted",
	NoRetain:          "retained messages not supported",
	NoQoS:             "quality of service not supported",
	UseAnother:        "use another broker",
	Moved:             "broker has moved",
	NoShared:          "shared subscriptions not supported",
	ConnectionRate:    "too many connections in a short time",
	ConnectTime:       "maximum connect time reached",
	NoSubscriptionIDs: "subscription ids not supported",
	NoWildcards:       "wildcard subscriptions not supported",
}

// Refused says that the broker did not take what the code answers.
func (c Code) Refused() bool { return c >= firstRefusal }

func (c Code) String() string {
	if w, ok := codeWords[c]; ok {
		return fmt.Sprintf("%s (0x%02X)", w, byte(c))
	}
	return fmt.Sprintf("reason code 0x%02X", byte(c))
}
