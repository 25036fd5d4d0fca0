package configs

// synonyms are keys that people know from other products, and ours, for hints.
var synonyms = map[string]string{
	"slave_id": "unit_id", "slaveid": "unit_id", "slave": "unit_id", "station": "unit_id", "node_id": "address",
	"poll_interval": "interval", "poll_rate": "interval", "scan_rate": "interval", "sampling_interval": "interval", "period": "interval",
	"datatype": "type", "data_type": "type", "factor": "scale", "multiplier": "scale", "gain": "scale", "threshold": "deadband",
	"register": "address", "reg": "address", "metrics": "tags", "points": "tags", "fields": "tags", "slaves": "devices", "nodes": "devices",
	"host": "endpoint", "url": "endpoint", "port": "endpoint", "protocol": "driver", "template": "profile", "disabled": "enabled",
	"level": "class", "priority": "class", "writable": "access", "tags": "labels", "parameters": "params", "units": "unit",
}
