// A program of somebody else, for the compiler alone: what it must accept and,
// under the directives, what it must refuse.
import type { Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { createClients, reason, scopeNeeded, violations } from "clientsd";
import type { Client, Clients, FieldViolation, Token } from "clientsd";

declare const transport: Transport;
const token: Token = async () => "token";

const { clients, secrets }: Clients = createClients({ transport, token });
createClients({ transport });
createClients({
  baseUrl: "https://clients.example.com",
  createTransport: createConnectTransport,
  token: "token",
});
// @ts-expect-error a URL needs somebody who makes the transport
createClients({ baseUrl: "https://clients.example.com" });
// @ts-expect-error a token is not a number
createClients({ transport, token: 1 });

const record: Client = await clients.regenerateSecret({ clientId: "id", includeSecret: true });
const secret: string | undefined = record.clientSecret;
// @ts-expect-error the secret may be absent
const always: string = record.clientSecret;
// @ts-expect-error there is no such field
await clients.regenerateSecret({ id: "id" });
const version: bigint = (await secrets.verifySecret({ clientId: "id", secret: secret ?? "" })).secretVersion;

const broken: FieldViolation[] = violations(new Error());
const why: string | undefined = reason("anything") ?? scopeNeeded(undefined);
console.log(always, version, broken, why);
