// Compiles only if openapi-typescript reads the document as it is meant.
import type { components, operations } from "./openapi.js";

type Schemas = components["schemas"];
type Rotation = operations["RegenerateSecret"];

export const request: Rotation["requestBody"]["content"]["application/json"] = {
  clientId: "550e8400-e29b-41d4-a716-446655440000",
  includeSecret: true,
  expectedSecretVersion: "7",
  previousSecretValidFor: "86400s",
};

export const headers: Rotation["parameters"]["header"] = { "Idempotency-Key": "deploy-4711" };

export const version = (record: Schemas["xeonr.auth.api.v1.Client"]): bigint => BigInt(record.secretVersion ?? "0");

export const repeat = (info: Schemas["google.rpc.ErrorInfo"]): boolean =>
  info.reason === "CONFLICT" || info.reason === "OUTCOME_UNKNOWN";

export const none: Schemas["clientsd.v1.SecretMatch"] = "SECRET_MATCH_NONE";
