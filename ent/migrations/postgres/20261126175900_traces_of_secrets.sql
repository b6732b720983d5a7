-- +goose Up
-- modify "client_events" table
ALTER TABLE "client_events" ALTER COLUMN "client_id" DROP NOT NULL, ADD COLUMN "secret_lookup" bytea NULL, ADD COLUMN "secret_refused" boolean NOT NULL DEFAULT false;
-- create index "clientevent_secret_lookup" to table: "client_events"
CREATE INDEX "clientevent_secret_lookup" ON "client_events" ("secret_lookup") WHERE secret_lookup IS NOT NULL;
-- create index "clientevent_organisation_at" to table: "client_events"
CREATE INDEX "clientevent_organisation_at" ON "client_events" ("organisation", "at") WHERE secret_refused;
-- modify "oauth_clients" table
ALTER TABLE "oauth_clients" ADD COLUMN "ended_digest" bytea NULL, ADD COLUMN "ended_version" bigint NULL, ADD COLUMN "ended_at" timestamptz NULL, ADD COLUMN "ended_presented_at" timestamptz NULL, ADD COLUMN "verification_failed_at" timestamptz NULL;
