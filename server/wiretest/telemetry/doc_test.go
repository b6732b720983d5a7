// Package telemetry_test tests, through the front door, what an operator sees: metrics, traces, the dashboard and the alerts.
//
// It knows the server by its configuration and its answers only. What it shares
// with other themes is in servertest.
package telemetry_test
