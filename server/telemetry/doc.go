// Package telemetry shows a running server to those who operate it: metrics for
// Prometheus on an address of their own, and traces and metrics for an
// OpenTelemetry collector.
//
// It owns every name of a metric and of an attribute, and what their values may
// be: fixed words, never text that a caller chose, so that nobody can make
// series without end or bring a secret in. It is given what there is to measure,
// and imports nothing of clientsd.
//
// The files alongside are for the operator: grafana/clientsd.json is a
// dashboard, prometheus/alerts.yaml are sample alerts.
package telemetry
