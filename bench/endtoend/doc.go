// Command endtoend measures the whole way of a value: a simulated plant of
// Modbus TCP devices, the gateway as a process of its own, and a broker that
// acknowledges and counts. It prints values per second, CPU seconds per
// million values and peak memory of the gateway.
//
// The simulator and the broker cost the machine as well; on a machine of few
// cores they take their share from the gateway, and the printed rate is a
// lower bound. The CPU figure counts the gateway alone.
package main
