// Command complete finishes the OpenAPI document that protoc-gen-connect-openapi
// generates:
//
//	go run ./complete openapi.yaml additions.yaml
//
// It owns what the code knows and the proto files do not: scopes, reasons,
// Idempotency-Key, the REST APIs. It also removes what generators of clients
// cannot read. It reads rules and tables of other packages, and never runs in a
// server.
package main

import (
	"bytes"
	"fmt"
	"os"

	"go.yaml.in/yaml/v3"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: complete DOCUMENT ADDITIONS")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "complete OpenAPI document:", err)
		os.Exit(1)
	}
}

func run(documentFile, additionsFile string) error {
	document, err := read(documentFile)
	if err != nil {
		return err
	}
	additions, err := read(additionsFile)
	if err != nil {
		return err
	}
	merge(document, additions)
	if err := completeOperations(get(document, "paths")); err != nil {
		return err
	}
	if err := completeReasons(document); err != nil {
		return err
	}
	simplify(document)
	return write(documentFile, document)
}

// read returns the mapping that a file consists of.
func read(file string) (*yaml.Node, error) {
	text, err := os.ReadFile(file) //nolint:gosec // a source file
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("parse %s: %w", file, err)
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("parse %s: not a mapping", file)
	}
	return document.Content[0], nil
}

func write(file string, document *yaml.Node) error {
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(document); err != nil {
		return err
	}
	return os.WriteFile(file, text.Bytes(), 0o644) //nolint:gosec // a source file
}
