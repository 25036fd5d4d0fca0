module fieldferry

go 1.26.0
