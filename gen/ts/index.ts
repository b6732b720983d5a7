/**
 * The client of clientsd: typed calls over any Connect transport, and functions
 * that read errors. Messages and services are generated from the proto files.
 */
import { createClient } from "@connectrpc/connect";
import type { Client as ClientOf, Transport } from "@connectrpc/connect";

import { authorised, bearer } from "./token.js";
import type { TransportFactory, Token } from "./token.js";
import { SecretsService } from "./src/clientsd/v1/secrets_service_pb.js";
import { ClientsService } from "./src/xeonr/auth/api/v1/clients_service_pb.js";
import { ManagementService } from "./src/zitadel/management/v1/management_pb.js";

export * from "./errors.js";
export { bearer } from "./token.js";
export type { Token, TransportFactory } from "./token.js";
export * from "./src/clientsd/v1/client_event_pb.js";
export * from "./src/clientsd/v1/secret_match_pb.js";
export * from "./src/clientsd/v1/secret_state_pb.js";
export * from "./src/clientsd/v1/secrets_service_pb.js";
export * from "./src/xeonr/auth/api/v1/clients_pb.js";
export * from "./src/xeonr/auth/api/v1/clients_service_pb.js";
export * from "./src/zitadel/management/v1/management_pb.js";
export * from "./src/zitadel/v1/object_pb.js";

/** How to reach a service: over a transport, or at a URL over a transport that is created for it. */
export type Options = {
  /** The access token. Only `getPublicClients` works without it. */
  token?: Token | undefined;
} & ({ transport: Transport } | { baseUrl: string; createTransport: TransportFactory });

/** One client for each service. */
export interface Clients {
  /** Creates, reads, changes and deletes OAuth clients, and rotates their secrets. */
  readonly clients: ClientOf<typeof ClientsService>;
  /** Verifies secrets, finds their clients, revokes the previous secret, lists events. */
  readonly secrets: ClientOf<typeof SecretsService>;
  /** Rotates a secret with the one method of ZITADEL's management API that is served. */
  readonly management: ClientOf<typeof ManagementService>;
}

/** Creates the clients. It sends nothing before the first call. */
export function createClients(options: Options): Clients {
  const transport = transportOf(options);
  return {
    clients: createClient(ClientsService, transport),
    secrets: createClient(SecretsService, transport),
    management: createClient(ManagementService, transport),
  };
}

function transportOf(options: Options): Transport {
  const { token } = options;
  if ("transport" in options) {
    return token === undefined ? options.transport : authorised(options.transport, token);
  }
  const { baseUrl, createTransport } = options;
  return createTransport({ baseUrl, interceptors: token === undefined ? [] : [bearer(token)] });
}
