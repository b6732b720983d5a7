package openapi_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"clientsd/server/api/openapi"
)

// node is a mapping of the document.
type node = map[string]any

// load returns the document as it is served.
func load(t *testing.T) node {
	t.Helper()
	answer := httptest.NewRecorder()
	openapi.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/openapi.yaml", http.NoBody))
	var document node
	if err := yaml.Unmarshal(answer.Body.Bytes(), &document); err != nil {
		t.Fatalf("parse openapi.yaml: %v", err)
	}
	return document
}

// at walks down the mappings of n. What is not there is an empty mapping.
func at(n node, names ...string) node {
	for _, name := range names {
		n, _ = n[name].(node)
	}
	return n
}

// resolve follows a reference.
func resolve(document, n node) node {
	if reference, ok := n["$ref"].(string); ok {
		return at(document, strings.Split(strings.TrimPrefix(reference, "#/"), "/")...)
	}
	return n
}

// operation is one method of one path.
type operation struct {
	path, method string
	node         node
}

// operations returns every operation of the document, sorted by path.
func operations(document node) (found []operation) {
	paths := at(document, "paths")
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		methods := at(paths, path)
		for _, method := range slices.Sorted(maps.Keys(methods)) {
			found = append(found, operation{path, strings.ToUpper(method), at(methods, method)})
		}
	}
	return found
}

// scopes returns the sets of scopes that allow the operation. Empty: no token is needed.
func (o operation) scopes() (alternatives [][]string) {
	requirements, _ := o.node["security"].([]any)
	for _, requirement := range requirements {
		one, _ := requirement.(node)
		if len(one) == 0 {
			return nil
		}
		alternatives = append(alternatives, texts(one["accessToken"]))
	}
	return alternatives
}

// headers returns the names of the headers that the operation reads.
func (o operation) headers(document node) (names []string) {
	parameters, _ := o.node["parameters"].([]any)
	for _, parameter := range parameters {
		one, _ := parameter.(node)
		if one = resolve(document, one); one["in"] == "header" {
			names = append(names, texts([]any{one["name"]})...)
		}
	}
	return names
}

func texts(list any) (found []string) {
	items, _ := list.([]any)
	for _, item := range items {
		if text, ok := item.(string); ok {
			found = append(found, text)
		}
	}
	return found
}

// walk visits every mapping below a value, with its place.
func walk(place string, value any, visit func(place string, n node)) {
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			walk(place, item, visit)
		}
	case node:
		visit(place, value)
		for key, item := range value {
			walk(place+"/"+key, item, visit)
		}
	}
}

// undescribed returns the fields of a JSON text that a schema does not have.
func undescribed(t *testing.T, document, schema node, text []byte) []string {
	t.Helper()
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatalf("not JSON: %v: %s", err, text)
	}
	return unknownFields(document, schema, "answer", value)
}

func unknownFields(document, schema node, place string, value any) (found []string) {
	schema = resolve(document, schema)
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			found = append(found, unknownFields(document, at(schema, "items"), place+"[]", item)...)
		}
	case node:
		for field, item := range value {
			property, ok := property(document, schema, field)
			if !ok {
				found = append(found, place+"."+field)
				continue
			}
			found = append(found, unknownFields(document, property, place+"."+field, item)...)
		}
	}
	return found
}

// property finds a field in a schema or in one of its variants.
func property(document, schema node, field string) (node, bool) {
	variants, _ := schema["anyOf"].([]any)
	for _, variant := range append(variants, any(schema)) {
		one, _ := variant.(node)
		if found, ok := at(resolve(document, one), "properties")[field].(node); ok {
			return found, true
		}
	}
	return nil, false
}
