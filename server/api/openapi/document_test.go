package openapi_test

import (
	"encoding/json"
	"fmt"
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

// scopes are those that a method needs. Empty: it needs no token.
func scopes(method node) string {
	var alternatives []string
	requirements, _ := method["security"].([]any)
	for _, requirement := range requirements {
		one, _ := requirement.(node)
		names, _ := one["accessToken"].([]any)
		alternatives = append(alternatives, strings.Trim(fmt.Sprint(names), "[]"))
	}
	return strings.Join(alternatives, " or ")
}

func parameters(document, method node) (found []string) {
	list, _ := method["parameters"].([]any)
	for _, parameter := range list {
		one, _ := parameter.(node)
		name := fmt.Sprintf("parameter %v in %v, required %v", one["name"], one["in"], one["required"])
		found = append(found, lines(document, name, at(one, "schema"))...)
	}
	return found
}

// body tells of a request or a response what it carries.
func body(document node, name string, carrier node) []string {
	var found []string
	for contentType, content := range at(carrier, "content") {
		line := name + ": " + contentType
		if required, ok := carrier["required"]; ok {
			line += fmt.Sprint(", required ", required)
		}
		found = append(found, line)
		schema, _ := content.(node)
		found = append(found, lines(document, name, at(schema, "schema"))...)
	}
	return found
}

// lines tells of a schema what a caller can rely on, a line for every field:
// "request clientId: string, uuid". References are followed.
func lines(document node, name string, schema node) []string {
	if reference, ok := schema["$ref"].(string); ok {
		return lines(document, name, at(document, strings.Split(strings.TrimPrefix(reference, "#/"), "/")...))
	}
	switch {
	case schema["anyOf"] != nil:
		return variants(document, name, schema)
	case schema["type"] == "array":
		return append(limits(name, schema), lines(document, name+"[]", at(schema, "items"))...)
	case schema["properties"] != nil:
		return fields(document, name, schema)
	default:
		return []string{describe(name, schema)}
	}
}

func variants(document node, name string, schema node) (found []string) {
	list, _ := schema["anyOf"].([]any)
	for _, variant := range list {
		one, _ := variant.(node)
		found = append(found, lines(document, name, one)...)
	}
	return found
}

func fields(document node, name string, schema node) (found []string) {
	properties := at(schema, "properties")
	for _, field := range slices.Sorted(maps.Keys(properties)) {
		found = append(found, lines(document, join(name, field), at(properties, field))...)
	}
	if required, ok := schema["required"]; ok {
		found = append(found, fmt.Sprintf("%s, required fields: %v", name, required))
	}
	if others, ok := schema["additionalProperties"]; ok {
		found = append(found, fmt.Sprintf("%s, other fields: %v", name, others))
	}
	return found
}

// join writes "request list[].field": a space behind what carries the message.
func join(name, field string) string {
	if strings.Contains(name, " ") {
		return name + "." + field
	}
	return name + " " + field
}

// described are the keys that are for people or have been told otherwise.
var described = []string{"title", "description", "examples", "type", "properties", "items"}

// limits is a line of the rules of a list itself, if there are any.
func limits(name string, schema node) []string {
	if line := describe(name, schema); !strings.HasSuffix(line, ": array") {
		return []string{line}
	}
	return nil
}

func describe(name string, schema node) string {
	facts := []string{fmt.Sprintf("%s: %v", name, schema["type"])}
	for _, key := range slices.Sorted(maps.Keys(schema)) {
		if !slices.Contains(described, key) {
			facts = append(facts, fmt.Sprintf("%s %v", key, schema[key]))
		}
	}
	return strings.Join(facts, ", ")
}

// names are the fields of a JSON object, as [lines] names them.
func names(t *testing.T, text []byte) []string {
	t.Helper()
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatalf("not JSON: %v: %s", err, text)
	}
	return namesOf("error", value)
}

func namesOf(name string, value any) (found []string) {
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			found = append(found, namesOf(name+"[]", item)...)
		}
	case node:
		for field, item := range value {
			found = append(found, namesOf(join(name, field), item)...)
		}
	default:
		found = []string{name}
	}
	return found
}
