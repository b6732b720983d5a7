-- +goose Up
-- create "client_events" table
CREATE TABLE `client_events` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `client_id` uuid NOT NULL, `organisation` text NOT NULL, `kind` text NOT NULL, `at` datetime NOT NULL, `secret_version` integer NOT NULL, `secret_released` bool NOT NULL, `actor_issuer` text NOT NULL, `actor_subject` text NOT NULL, `actor_client_id` text NOT NULL, `actor_organisation` text NOT NULL, `request_id` text NOT NULL, `address` text NOT NULL, `face` text NOT NULL);
-- create index "clientevent_client_id_id" to table: "client_events"
CREATE INDEX `clientevent_client_id_id` ON `client_events` (`client_id`, `id`);
-- create "client_logos" table
CREATE TABLE `client_logos` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `png` blob NOT NULL, `client_id` uuid NOT NULL, CONSTRAINT `client_logos_oauth_clients_logo` FOREIGN KEY (`client_id`) REFERENCES `oauth_clients` (`id`) ON DELETE CASCADE);
-- create index "client_logos_client_id_key" to table: "client_logos"
CREATE UNIQUE INDEX `client_logos_client_id_key` ON `client_logos` (`client_id`);
-- create "keyset_checks" table
CREATE TABLE `keyset_checks` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `sealed` blob NOT NULL);
-- create "oauth_clients" table
CREATE TABLE `oauth_clients` (`id` uuid NOT NULL, `organisation` text NOT NULL, `revision` integer NOT NULL DEFAULT (1), `created_at` datetime NOT NULL, `updated_at` datetime NOT NULL, `name` text NOT NULL, `redirect_uri` text NOT NULL, `website_url` text NOT NULL, `description` text NOT NULL, `supports_refresh_token` bool NOT NULL, `supports_implicit_grant` bool NOT NULL, `supports_device_code_grant` bool NOT NULL, `supports_code_grant` bool NOT NULL, `uses_managed_buckets` bool NOT NULL, `application_id` text NULL, `application_bindings` json NOT NULL, `allowed_delegators` json NOT NULL, `backchannel_logout_uri` text NULL, `backchannel_logout_session_required` bool NOT NULL, `frontchannel_logout_uri` text NULL, `frontchannel_logout_session_required` bool NOT NULL, `post_logout_redirect_uris` json NOT NULL, `is_verified` bool NOT NULL, `logo_hash` text NULL, `has_secret` bool NOT NULL, `secret_digest` blob NULL, `secret_sealed` blob NULL, `secret_version` integer NOT NULL DEFAULT (0), `secret_created_at` datetime NULL, `previous_secret_digest` blob NULL, `previous_secret_expires_at` datetime NULL, PRIMARY KEY (`id`));
-- create index "oauthclient_organisation_created_at_id" to table: "oauth_clients"
CREATE INDEX `oauthclient_organisation_created_at_id` ON `oauth_clients` (`organisation`, `created_at`, `id`);
-- create index "oauthclient_organisation_application_id_created_at_id" to table: "oauth_clients"
CREATE INDEX `oauthclient_organisation_application_id_created_at_id` ON `oauth_clients` (`organisation`, `application_id`, `created_at`, `id`);
-- create "signing_keys" table
CREATE TABLE `signing_keys` (`id` text NOT NULL, `issuer` text NOT NULL, `private_sealed` blob NOT NULL, `public` blob NOT NULL, `created_at` datetime NOT NULL, PRIMARY KEY (`id`));
