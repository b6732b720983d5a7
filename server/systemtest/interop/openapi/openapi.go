// Package openapi names what the client that oapi-codegen generates imports, so
// that go.mod has it. The test that uses the client is in testdata: the client is
// generated into a copy of this module, by .ci/openapi.
package openapi

import _ "github.com/oapi-codegen/runtime" // of the generated client
