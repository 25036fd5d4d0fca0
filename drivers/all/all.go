// Package all knows every driver, so that nothing else has to: a new protocol
// is one folder below drivers and one line here. Importing it registers them.
package all

import (
	_ "fieldferry/drivers/modbus" // Modbus TCP and RTU
	_ "fieldferry/drivers/opcua"  // OPC UA
	_ "fieldferry/drivers/sim"    // signals without a wire
)
