-- +goose Up
-- create "keyset_keys" table
CREATE TABLE "keyset_keys" ("id" bigint NOT NULL, PRIMARY KEY ("id"));
-- fill it: byte 0x01 begins what is sealed, and the id of the key follows
INSERT INTO "keyset_keys" ("id")
SELECT DISTINCT ('x' || encode(substring("sealed" FROM 2 FOR 4), 'hex'))::bit(32)::bigint
FROM (
  SELECT "secret_sealed" AS "sealed" FROM "oauth_clients"
  UNION ALL SELECT "private_sealed" FROM "signing_keys"
  UNION ALL SELECT "sealed" FROM "keyset_checks"
) AS "all"
WHERE octet_length("sealed") >= 5 AND substring("sealed" FROM 1 FOR 1) = '\x01';
