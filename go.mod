module fieldferry

go 1.26.0

require github.com/gopcua/opcua v0.9.1 // indirect
