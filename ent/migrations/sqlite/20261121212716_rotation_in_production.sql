-- +goose Up
-- disable the enforcement of foreign-keys constraints
PRAGMA foreign_keys = off;
-- create "new_client_events" table
CREATE TABLE `new_client_events` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `client_id` uuid NOT NULL, `organisation` text NOT NULL, `kind` text NOT NULL, `at` datetime NOT NULL, `secret_version` integer NOT NULL, `secret_released` bool NOT NULL, `actor_issuer` text NOT NULL, `actor_subject` text NOT NULL, `actor_client_id` text NOT NULL, `actor_organisation` text NOT NULL, `request_id` text NOT NULL, `address` text NOT NULL, `face` text NOT NULL, `reason` text NOT NULL DEFAULT (''));
-- copy rows from old table "client_events" to new temporary table "new_client_events"
INSERT INTO `new_client_events` (`id`, `client_id`, `organisation`, `kind`, `at`, `secret_version`, `secret_released`, `actor_issuer`, `actor_subject`, `actor_client_id`, `actor_organisation`, `request_id`, `address`, `face`) SELECT `id`, `client_id`, `organisation`, `kind`, `at`, `secret_version`, `secret_released`, `actor_issuer`, `actor_subject`, `actor_client_id`, `actor_organisation`, `request_id`, `address`, `face` FROM `client_events`;
-- drop "client_events" table after copying rows
DROP TABLE `client_events`;
-- rename temporary table "new_client_events" to "client_events"
ALTER TABLE `new_client_events` RENAME TO `client_events`;
-- create index "clientevent_client_id_id" to table: "client_events"
CREATE INDEX `clientevent_client_id_id` ON `client_events` (`client_id`, `id`);
-- add column "previous_secret_last_used_at" to table: "oauth_clients"
ALTER TABLE `oauth_clients` ADD COLUMN `previous_secret_last_used_at` datetime NULL;
-- add column "tokens_until" to table: "signing_keys"
ALTER TABLE `signing_keys` ADD COLUMN `tokens_until` datetime NULL;
-- create "idempotency_keys" table
CREATE TABLE `idempotency_keys` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `key` blob NOT NULL, `request` blob NOT NULL, `client_id` uuid NOT NULL, `secret_version` integer NOT NULL, `created_at` datetime NOT NULL);
-- create index "idempotency_keys_key_key" to table: "idempotency_keys"
CREATE UNIQUE INDEX `idempotency_keys_key_key` ON `idempotency_keys` (`key`);
-- create index "idempotencykey_created_at" to table: "idempotency_keys"
CREATE INDEX `idempotencykey_created_at` ON `idempotency_keys` (`created_at`);
-- enable back the enforcement of foreign-keys constraints
PRAGMA foreign_keys = on;
