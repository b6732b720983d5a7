-- +goose Up
-- a rotation whose row finds room on its own page touches none of the indexes
ALTER TABLE "oauth_clients" SET (fillfactor = 80);
