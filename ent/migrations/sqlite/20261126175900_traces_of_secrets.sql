-- +goose Up
-- disable the enforcement of foreign-keys constraints
PRAGMA foreign_keys = off;
-- add column "ended_digest" to table: "oauth_clients"
ALTER TABLE `oauth_clients` ADD COLUMN `ended_digest` blob NULL;
-- add column "ended_version" to table: "oauth_clients"
ALTER TABLE `oauth_clients` ADD COLUMN `ended_version` integer NULL;
-- add column "ended_at" to table: "oauth_clients"
ALTER TABLE `oauth_clients` ADD COLUMN `ended_at` datetime NULL;
-- add column "ended_presented_at" to table: "oauth_clients"
ALTER TABLE `oauth_clients` ADD COLUMN `ended_presented_at` datetime NULL;
-- add column "verification_failed_at" to table: "oauth_clients"
ALTER TABLE `oauth_clients` ADD COLUMN `verification_failed_at` datetime NULL;
-- create "new_client_events" table
CREATE TABLE `new_client_events` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `client_id` uuid NULL, `organisation` text NOT NULL, `kind` text NOT NULL, `at` datetime NOT NULL, `secret_version` integer NOT NULL, `secret_released` bool NOT NULL, `actor_issuer` text NOT NULL, `actor_subject` text NOT NULL, `actor_client_id` text NOT NULL, `actor_organisation` text NOT NULL, `request_id` text NOT NULL, `address` text NOT NULL, `api` text NOT NULL, `reason` text NOT NULL DEFAULT (''), `secret_lookup` blob NULL, `secret_refused` bool NOT NULL DEFAULT (false));
-- copy rows from old table "client_events" to new temporary table "new_client_events"
INSERT INTO `new_client_events` (`id`, `client_id`, `organisation`, `kind`, `at`, `secret_version`, `secret_released`, `actor_issuer`, `actor_subject`, `actor_client_id`, `actor_organisation`, `request_id`, `address`, `api`, `reason`) SELECT `id`, `client_id`, `organisation`, `kind`, `at`, `secret_version`, `secret_released`, `actor_issuer`, `actor_subject`, `actor_client_id`, `actor_organisation`, `request_id`, `address`, `api`, `reason` FROM `client_events`;
-- drop "client_events" table after copying rows
DROP TABLE `client_events`;
-- rename temporary table "new_client_events" to "client_events"
ALTER TABLE `new_client_events` RENAME TO `client_events`;
-- create index "clientevent_client_id_id" to table: "client_events"
CREATE INDEX `clientevent_client_id_id` ON `client_events` (`client_id`, `id`);
-- create index "clientevent_secret_lookup" to table: "client_events"
CREATE INDEX `clientevent_secret_lookup` ON `client_events` (`secret_lookup`) WHERE secret_lookup IS NOT NULL;
-- create index "clientevent_organisation_at" to table: "client_events"
CREATE INDEX `clientevent_organisation_at` ON `client_events` (`organisation`, `at`) WHERE secret_refused;
-- enable back the enforcement of foreign-keys constraints
PRAGMA foreign_keys = on;
