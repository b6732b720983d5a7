package main

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"clientsd/server/auth"
	"clientsd/server/oauthclient"
)

// completeReasons lists every reason that an error of the service can have.
func completeReasons(document *yaml.Node) error {
	schema := get(document, "components", "schemas", "google.rpc.ErrorInfo", "properties", "reason")
	if schema == nil {
		return errors.New("google.rpc.ErrorInfo has no reason")
	}
	reasons := append(oauthclient.Reasons(), auth.ReasonInsufficientScope)
	slices.Sort(reasons)
	values := list()
	for _, reason := range reasons {
		values.Content = append(values.Content, text(reason))
	}
	set(schema, "enum", values)
	return nil
}

// ruleOfDuration matches what the plugin says about rules of a Duration: the text
// of the rule, four times, three of them wrong.
var ruleOfDuration = regexp.MustCompile(`\n?\n?duration\.\w+ = \w+`)

// simplify rewrites what is hard to read for people or for generators.
func simplify(document *yaml.Node) {
	walk(document, func(node *yaml.Node) {
		switch {
		case node.Kind == yaml.MappingNode:
			simplifyInteger(node)
		case node.Kind == yaml.ScalarNode && node.Style == yaml.LiteralStyle:
			// Lines of a comment in a proto file begin with a space.
			node.Value = ruleOfDuration.ReplaceAllString(strings.ReplaceAll(node.Value, "\n ", "\n"), "")
		}
	})
}

// simplifyInteger makes a 64-bit number a string, as the JSON of an answer has it.
// The plugin says [integer, string], because a request may have either.
// Generators refuse such a union, or lose the type.
func simplifyInteger(schema *yaml.Node) {
	types := get(schema, "type")
	if types == nil || types.Kind != yaml.SequenceNode || !contains(types, "integer") || !contains(types, "string") {
		return
	}
	types.Content = slices.DeleteFunc(types.Content, func(node *yaml.Node) bool { return node.Value == "integer" })
	if len(types.Content) == 1 {
		set(schema, "type", types.Content[0])
	}
	remove(schema, "minimum") // of numbers only
}

func contains(sequence *yaml.Node, value string) bool {
	return slices.ContainsFunc(sequence.Content, func(node *yaml.Node) bool { return node.Value == value })
}
