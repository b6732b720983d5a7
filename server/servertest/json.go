package servertest

import (
	"encoding/json"
	"testing"
)

// Object reads a JSON object.
func Object(t testing.TB, text []byte) map[string]any {
	t.Helper()
	members := map[string]any{}
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return members
}

// Member is the JSON object that is a member of another.
func Member(t testing.TB, parent map[string]any, name string) map[string]any {
	t.Helper()
	child, ok := parent[name].(map[string]any)
	if !ok {
		t.Fatalf("member %q is no object in %v", name, parent)
	}
	return child
}
