package server_test

import (
	"bytes"
	"encoding/json"
	osexec "os/exec" // exec is a helper here
	"slices"
	"strings"
	"testing"
)

// What packages are called in the rules below.
const (
	entCode      = "clientsd/ent"
	genCode      = "clientsd/gen"
	connectCode  = "connectrpc.com"
	httpCode     = "net/http"
	sqliteDriver = "github.com/mattn/go-sqlite3"
	pgxDriver    = "github.com/jackc/pgx"
)

// importRules say what each package of the server may import of ours, and what
// must not be anywhere below it. Imports only go down: to rows further up.
var importRules = []struct {
	name    string
	imports []string // of ours, directly; with what is inside of them
	without []string // directly or through others
}{
	{"server/certificate", nil, []string{"clientsd", "entgo.io", connectCode, httpCode, "database/sql"}},
	{"server/durable", nil, []string{"clientsd", "entgo.io", connectCode, httpCode, "database/sql"}},
	{"server/secret", []string{"server/durable"}, []string{entCode, genCode, "entgo.io", connectCode, httpCode, sqliteDriver, pgxDriver}},
	{"server/loopback", nil, []string{"clientsd", httpCode}},
	{"server/logo", nil, []string{"clientsd", "entgo.io", connectCode, httpCode, "database/sql"}},
	{"server/turns", nil, []string{"clientsd", "entgo.io", connectCode, httpCode, "database/sql"}},
	{"server/api/openapi", nil, []string{"clientsd", "entgo.io", connectCode, "database/sql"}},
	{"server/tx", []string{entCode}, []string{"clientsd/server", connectCode, genCode, httpCode, sqliteDriver, pgxDriver}},
	{"server/retention", []string{entCode, "server/tx"}, []string{connectCode, genCode, httpCode, sqliteDriver, pgxDriver}},
	{"server/batch", []string{"server/tx"}, []string{connectCode, genCode, httpCode, sqliteDriver, pgxDriver}},
	{"server/database", []string{entCode, "server/batch", "server/tx"}, []string{connectCode, genCode, httpCode}},
	{"server/storage", []string{entCode, "server/database", "server/durable", "server/secret", "server/tx"}, []string{connectCode, genCode, httpCode}},
	{"server/issuer", []string{entCode, "server/secret", "server/tx"}, []string{connectCode, genCode, httpCode, sqliteDriver, pgxDriver}},
	{"server/oauthclient", []string{entCode, "server/batch", "server/loopback", "server/retention", "server/secret", "server/tx"}, []string{connectCode, genCode, httpCode, sqliteDriver, pgxDriver}},
	{"server/auth", []string{genCode, "server/loopback"}, []string{entCode, "entgo.io", "database/sql", sqliteDriver, pgxDriver}},
	{"server/nearest", nil, []string{"clientsd", "entgo.io", connectCode, httpCode, "database/sql"}},
	{"server/abuse", nil, []string{"clientsd", "entgo.io", connectCode, httpCode, "database/sql"}},
	{"server/telemetry", nil, []string{"clientsd", "entgo.io", sqliteDriver, pgxDriver}},
	{"server/api/openapi/complete", []string{genCode, "server/auth", "server/oauthclient"}, []string{sqliteDriver, pgxDriver}},
	{"server/reencrypt", []string{entCode, "server/secret", "server/storage", "server/tx"}, []string{connectCode, genCode, httpCode}},
	{"server/backup", []string{entCode, "server/database", "server/durable", "server/secret", "server/storage", "server/tx"}, []string{connectCode, genCode, httpCode}},
	{"server/reqctx", []string{"server/auth", "server/oauthclient"}, []string{sqliteDriver, pgxDriver}},
	{"server/api", []string{"server/oauthclient"}, []string{connectCode, genCode, httpCode, sqliteDriver, pgxDriver}},
	{"server/api/xeonr", []string{genCode, "server/api", "server/logo", "server/oauthclient", "server/reqctx", "server/turns"}, []string{sqliteDriver, pgxDriver}},
	{"server/api/clientsd", []string{genCode, "server/abuse", "server/api", "server/auth", "server/oauthclient", "server/reqctx"}, []string{sqliteDriver, pgxDriver}},
	{"server/api/zitadel", []string{genCode, "server/api", "server/auth", "server/oauthclient", "server/reqctx"}, []string{sqliteDriver, pgxDriver}},
	{"server/api/vigilo", []string{"server/api", "server/auth", "server/oauthclient", "server/reqctx"}, []string{sqliteDriver, pgxDriver}},
	{"server/transport", []string{"server/abuse", "server/auth", "server/database", "server/nearest", "server/oauthclient", "server/reqctx", "server/secret", "server/turns"}, nil},
	{"server", []string{
		genCode, "server/abuse", "server/api", "server/api/clientsd", "server/api/openapi", "server/api/vigilo", "server/api/xeonr", "server/api/zitadel",
		"server/auth", "server/certificate", "server/database", "server/issuer", "server/loopback", "server/nearest", "server/oauthclient", "server/reqctx", "server/retention", "server/secret",
		"server/storage", "server/telemetry", "server/transport",
	}, []string{"github.com/alecthomas/kong"}},
	{"server/command", []string{
		genCode, "server", "server/auth", "server/backup", "server/database", "server/issuer", "server/nearest", "server/oauthclient", "server/reencrypt",
		"server/secret", "server/storage",
	}, nil},
	{"", []string{"server/command"}, []string{"clientsd/server/auth/authtest", "clientsd/server/servertest", "clientsd/server/systemtest", "clientsd/server/wiretest", "net/http/httptest", "testing"}},
}

// forTests are folders of packages that no program imports, which the last rule keeps.
var forTests = []string{"server/auth/authtest", "server/servertest", "server/systemtest", "server/wiretest"}

// listed is a package as go list tells of it.
type listed struct {
	ImportPath    string
	Imports, Deps []string
}

func TestImports_OnlyGoDown(t *testing.T) {
	t.Parallel()
	packages := goList(t)
	for _, rule := range importRules {
		name := strings.TrimSuffix("clientsd/"+rule.name, "/")
		found, ok := packages[name]
		if !ok {
			t.Errorf("%s: there is no such package", name)
		}
		for _, path := range found.Imports {
			if isIn(path, "clientsd") && !slices.ContainsFunc(rule.imports, func(own string) bool { return allows(own, path) }) {
				t.Errorf("%s imports %s", name, path)
			}
		}
		for _, path := range found.Deps {
			if slices.ContainsFunc(rule.without, func(other string) bool { return isIn(path, other) }) {
				t.Errorf("%s depends on %s", name, path)
			}
		}
		delete(packages, name)
	}
	for name := range packages {
		if isIn(name, "clientsd/server") && !slices.ContainsFunc(forTests, func(folder string) bool { return isIn(name, "clientsd/"+folder) }) {
			t.Errorf("%s: no rule says what it may import", name)
		}
	}
}

func TestImports_OnlyDatabaseNamesADriver(t *testing.T) {
	t.Parallel()
	// The second writes the migrations and the third reads the protocol: they are no part of the program.
	mayName := []string{"clientsd/server/database", "clientsd/ent/migrations/plan", "clientsd/server/servertest/pgproxy"}
	for name, found := range goList(t) {
		for _, path := range found.Imports {
			if (isIn(path, sqliteDriver) || isIn(path, pgxDriver)) && !slices.Contains(mayName, name) {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}

// allows says whether a rule that names a package of ours covers a path. Only
// what is generated is named with what is inside of it.
func allows(own, path string) bool {
	if own == entCode || own == genCode {
		return isIn(path, own)
	}
	return path == "clientsd/"+own
}

// isIn says whether a path is a package or inside of it.
func isIn(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}

// goList asks for every package of the module, without its tests.
func goList(t *testing.T) map[string]listed {
	t.Helper()
	output, err := osexec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps", "clientsd/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages := map[string]listed{}
	for decoder := json.NewDecoder(bytes.NewReader(output)); decoder.More(); {
		var found listed
		if err := decoder.Decode(&found); err != nil {
			t.Fatal(err)
		}
		packages[found.ImportPath] = found
	}
	return packages
}
