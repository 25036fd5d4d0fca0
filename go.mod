module fieldferry

go 1.26.0

require (
	github.com/goburrow/modbus v0.1.0
	github.com/tarm/serial v0.0.0-20180830185346-98f6abe2eb07
	go.uber.org/goleak v1.3.0
	golang.org/x/sys v0.49.0
)

require github.com/goburrow/serial v0.1.0 // indirect
