// What the page in browser.test.js loads: the SDK, bundled, and a way to call it.
import { Code, ConnectError } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { createClients, reason, scopeNeeded, violations } from "clientsd";

import { app } from "./app.js";

const transports = { Connect: createConnectTransport, "gRPC-Web": createGrpcWebTransport };

/** Rotates the secret of a new client and says whether the old secret and the new one are valid. */
globalThis.rotate = async ({ protocol, baseUrl, token }) => {
  const { clients, secrets } = createClients({ baseUrl, createTransport: transports[protocol], token });
  const { client } = await clients.createClient(app);
  const { clientId, clientSecret } = await clients.regenerateSecret({
    clientId: client.clientId,
    includeSecret: true,
  });
  const valid = async (secret) => (await secrets.verifySecret({ clientId, secret })).valid;
  return [await valid(client.clientSecret), await valid(clientSecret)];
};

/** Tries to rotate the secret of a client and returns what the error says. */
globalThis.failure = async ({ protocol, baseUrl, token, clientId }) => {
  const { clients } = createClients({ transport: transports[protocol]({ baseUrl }), token });
  try {
    return { answer: await clients.regenerateSecret({ clientId }) };
  } catch (error) {
    const { code } = ConnectError.from(error);
    return {
      code: Code[code],
      violations: violations(error),
      reason: reason(error),
      scope: scopeNeeded(error),
    };
  }
};
