import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";

import { ViolationsSchema } from "./src/buf/validate/validate_pb.js";
import type { FieldPath } from "./src/buf/validate/validate_pb.js";
import { ErrorInfoSchema } from "./src/google/rpc/error_details_pb.js";
import type { ErrorInfo } from "./src/google/rpc/error_details_pb.js";

/** A field of the request that breaks a rule. */
export interface FieldViolation {
  /** The name of the field in the request: `clientId`, or `applicationBindings[0].applicationId`. */
  field: string;
  /** The rule, for programs: `string.uuid`. */
  rule: string;
  /** What is wrong, for people: `must be a valid UUID`. */
  message: string;
}

/** Why a call failed, for programs. A later version of the service may add reasons. */
export type Reason =
  | "INSUFFICIENT_SCOPE"
  | "CLIENT_NOT_FOUND"
  | "SECRET_NOT_FOUND"
  | "CLIENT_EXISTS"
  | "PUBLIC_CLIENT"
  | "SECRET_VERSION_MISMATCH"
  | "IDEMPOTENCY_KEY_IN_USE"
  | "IDEMPOTENCY_MISMATCH"
  | "PAGE_SIZE_REQUIRED"
  | "CLIENT_LIMIT_REACHED"
  | "OVERLAP_IN_PROGRESS"
  | "SUPERSEDED"
  | "CONFLICT"
  | "OUTCOME_UNKNOWN"
  | "SECRET_DAMAGED"
  | "KEY_NOT_LOADED"
  | (string & {});

/** Returns the fields that break a rule. Empty: the call failed for another reason. */
export function violations(error: unknown): FieldViolation[] {
  return details(error, ViolationsSchema)
    .flatMap((detail) => detail.violations)
    .map(({ field, ruleId, message }) => ({ field: pathOf(field), rule: ruleId, message }));
}

/** Returns why the call failed. Undefined: the code of the error says everything. */
export function reason(error: unknown): Reason | undefined {
  return infoOf(error)?.reason;
}

/**
 * Returns the scopes that an access token needs for the call, with spaces between them: of several choices the
 * smallest. Undefined: the call failed for another reason.
 */
export function scopeNeeded(error: unknown): string | undefined {
  const info = infoOf(error);
  return info?.reason === "INSUFFICIENT_SCOPE" ? info.metadata["scope"]?.split(",")[0] : undefined;
}

function infoOf(error: unknown): ErrorInfo | undefined {
  return details(error, ErrorInfoSchema).find((info) => info.domain === "clientsd");
}

function details<Desc extends DescMessage>(error: unknown, schema: Desc): MessageShape<Desc>[] {
  return error instanceof ConnectError ? error.findDetails(schema) : [];
}

/** Writes a path with the names of the fields in JavaScript. */
function pathOf(path: FieldPath | undefined): string {
  const steps = path?.elements.map(({ fieldName, subscript }) => {
    const name = fieldName.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    return subscript.case === undefined ? name : `${name}[${subscript.value}]`;
  });
  return steps?.join(".") ?? "";
}
