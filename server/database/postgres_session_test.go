package database_test

import (
	"encoding/hex"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"

	"clientsd/server/database"
	"clientsd/server/servertest/storagetest"
)

// inDatabase is config for another database of the same server.
func inDatabase(t *testing.T, config database.Postgres, name, role string) database.Postgres {
	t.Helper()
	parsed, err := url.Parse(string(config.URL))
	if err != nil {
		t.Fatal(err)
	}
	parsed.Path = "/" + name
	query := parsed.Query()
	query.Del("search_path")
	parsed.RawQuery = query.Encode()
	if role != "" {
		parsed.User = url.UserPassword(role, role)
	}
	config.URL = database.URL(parsed.String())
	return config
}

func TestOpenPostgres_EncodingOfTheDatabase(t *testing.T) {
	config := storagetest.Postgres(t)
	db := openPostgres(t, config)
	for _, encoding := range []string{"LATIN1", "SQL_ASCII"} {
		t.Run(encoding, func(t *testing.T) {
			name := "clientsd_" + strings.ToLower(encoding)
			execute(t, db.Write, "CREATE DATABASE "+name+" TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C' ENCODING '"+encoding+"'")
			t.Cleanup(func() { _, _ = db.Write.ExecContext(t.Context(), "DROP DATABASE "+name+" WITH (FORCE)") })
			_, err := database.OpenPostgres(t.Context(), inDatabase(t, config, name, ""))
			if !errors.Is(err, database.ErrEncoding) || !strings.Contains(err.Error(), encoding) {
				t.Errorf("got error %v", err)
			}
		})
	}
}

// A role may have settings of its own, which a session begins with.
func TestOpenPostgres_SettingsOfTheRole(t *testing.T) {
	const role = "clientsd_old_habits"
	config := storagetest.Postgres(t)
	db := openPostgres(t, config)
	execute(t, db.Write, "CREATE ROLE "+role+" LOGIN SUPERUSER PASSWORD '"+role+"'")
	t.Cleanup(func() { _, _ = db.Write.ExecContext(t.Context(), "DROP ROLE "+role) })
	for _, setting := range []string{
		"client_encoding = 'WIN1252'", "datestyle = 'SQL, DMY'", "standard_conforming_strings = off",
		"timezone = 'Asia/Kathmandu'", "statement_timeout = 0",
	} {
		execute(t, db.Write, "ALTER ROLE "+role+" SET "+setting)
	}
	as := openPostgres(t, inDatabase(t, config, "postgres", role))
	for name, want := range map[string]string{
		"client_encoding": "UTF8", "datestyle": "ISO, MDY", "standard_conforming_strings": "on",
		"timezone": "UTC", "statement_timeout": "4s",
	} {
		if got := show(t, as.Write, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	const name = "Żółć 🔐 ©"
	if got := text(t, as.Write, "SELECT encode(convert_to('"+name+"', 'UTF8'), 'hex')::text"); got != hex.EncodeToString([]byte(name)) {
		t.Errorf("%s arrives as %s, want %s", name, got, hex.EncodeToString([]byte(name)))
	}
}

// The variable is set where PgBouncer is in front of the server: .ci/pgbouncer.
func TestOpenPostgres_TransactionPooling(t *testing.T) {
	pooler := os.Getenv("CLIENTSD_TEST_TRANSACTION_POOLER_URL")
	if pooler == "" {
		t.Skip("without PgBouncer: .ci/pgbouncer go test ./server/database")
	}
	_, err := database.OpenPostgres(t.Context(), database.Postgres{URL: database.URL(pooler)})
	if !errors.Is(err, database.ErrTransactionPooling) {
		t.Errorf("got error %v", err)
	}
}
