-- +goose Up
-- rename a column from "face" to "api"
ALTER TABLE "client_events" RENAME COLUMN "face" TO "api";
