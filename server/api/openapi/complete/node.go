package main

import "go.yaml.in/yaml/v3"

// get walks down the mappings of a node. Nil: there is no such value.
func get(node *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		_, node = find(node, key)
	}
	return node
}

// find returns the position of a key in a mapping, and its value. -1 and nil: not found.
func find(mapping *yaml.Node, key string) (int, *yaml.Node) {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return -1, nil
	}
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return i, mapping.Content[i+1]
		}
	}
	return -1, nil
}

// set replaces the value of a key, or adds both at the end.
func set(mapping *yaml.Node, key string, value *yaml.Node) {
	if i, _ := find(mapping, key); i >= 0 {
		mapping.Content[i+1] = value
		return
	}
	mapping.Content = append(mapping.Content, text(key), value)
}

// remove removes a key and its value.
func remove(mapping *yaml.Node, key string) {
	if i, _ := find(mapping, key); i >= 0 {
		mapping.Content = append(mapping.Content[:i], mapping.Content[i+2:]...)
	}
}

// merge adds what is in addition to a node: keys to a mapping, items to a list.
func merge(node, addition *yaml.Node) {
	if node.Kind == yaml.SequenceNode {
		node.Content = append(node.Content, addition.Content...)
		return
	}
	for i := 0; i < len(addition.Content); i += 2 {
		key, value := addition.Content[i].Value, addition.Content[i+1]
		if _, existing := find(node, key); existing != nil {
			merge(existing, value)
		} else {
			set(node, key, value)
		}
	}
}

// walk visits a node and everything below it.
func walk(node *yaml.Node, visit func(*yaml.Node)) {
	visit(node)
	for _, child := range node.Content {
		walk(child, visit)
	}
}

func text(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
}

func list(items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Content: items}
}

func mapping(key string, value *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{text(key), value}}
}
