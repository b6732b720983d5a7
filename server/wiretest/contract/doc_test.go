// Package contract_test tests, through the front door, what a caller reads and writes: the JSON, every field and its limits, field
// masks, pages, logos and events of ClientsService and SecretsService.
//
// It knows the server by its configuration and its answers only. What it shares
// with other themes is in servertest.
package contract_test
