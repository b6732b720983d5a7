-- +goose Up
-- create "keyset_keys" table
CREATE TABLE `keyset_keys` (`id` integer NOT NULL, PRIMARY KEY (`id`));
-- fill it: byte 0x01 begins what is sealed, and the id of the key follows
INSERT INTO `keyset_keys` (`id`)
SELECT DISTINCT json_extract('0x' || hex(substr(`sealed`, 2, 4)), '$')
FROM (
  SELECT `secret_sealed` AS `sealed` FROM `oauth_clients`
  UNION ALL SELECT `private_sealed` FROM `signing_keys`
  UNION ALL SELECT `sealed` FROM `keyset_checks`
)
WHERE length(`sealed`) >= 5 AND substr(`sealed`, 1, 1) = x'01';
