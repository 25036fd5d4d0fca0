module fieldferry

go 1.26.0

require github.com/eclipse/paho.golang v0.23.0

require go.uber.org/goleak v1.3.0
