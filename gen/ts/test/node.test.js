// The SDK in Node.js, over every transport there is.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Code, ConnectError } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { bearer, createClients, reason, scopeNeeded, SecretMatch, violations } from "clientsd";

import { app } from "./app.js";
import { start } from "./service.js";

const transports = {
  "Connect over HTTP/1.1": (options) => createConnectTransport({ ...options, httpVersion: "1.1" }),
  "Connect over HTTP/2": (options) => createConnectTransport({ ...options, httpVersion: "2" }),
  gRPC: (options) => createGrpcTransport(options),
  "gRPC-Web": (options) => createGrpcWebTransport({ ...options, httpVersion: "1.1" }),
};
const unknown = "550e8400-e29b-41d4-a716-446655440000";

let service;
before(async () => (service = await start()));
after(() => service.stop());

for (const [name, createTransport] of Object.entries(transports)) {
  describe(name, () => {
    const as = (token) => createClients({ transport: createTransport({ baseUrl: service.url }), token });

    test("after a rotation the old secret is refused and the new one accepted", async () => {
      const { clients, secrets } = as(service.token());
      const { client } = await clients.createClient(app);
      const rotated = await clients.regenerateSecret({ clientId: client.clientId, includeSecret: true });
      const verify = (secret) => secrets.verifySecret({ clientId: client.clientId, secret });

      assert.notEqual(rotated.clientSecret, client.clientSecret);
      assert.equal(rotated.name, app.name);
      assert.equal((await verify(client.clientSecret)).valid, false);
      const { valid, matched, secretVersion } = await verify(rotated.clientSecret);
      assert.deepEqual([valid, matched, secretVersion], [true, SecretMatch.CURRENT, 2n]);
    });

    test("ZITADEL's method rotates the same secret", async () => {
      const { clients, secrets, management } = as(service.token());
      const { client } = await clients.createClient(app);
      const answer = await management.regenerateOIDCClientSecret({
        projectId: app.applicationId,
        appId: client.clientId,
      });
      const { valid } = await secrets.verifySecret({
        clientId: client.clientId,
        secret: answer.clientSecret,
      });
      assert.equal(valid, true);
    });

    test("a bad id is named by its field, rule and message", async () => {
      const error = await failure(as(service.token()).clients.regenerateSecret({ clientId: "x" }));
      assert.equal(error.code, Code.InvalidArgument);
      const expected = [{ field: "clientId", rule: "string.uuid", message: "must be a valid UUID" }];
      assert.deepEqual(violations(error), expected);
      assert.deepEqual([reason(error), scopeNeeded(error)], [undefined, undefined]);
    });

    test("a field inside of a list is named with its index", async () => {
      const request = { ...app, applicationBindings: [{ applicationId: "one" }, { applicationId: "" }] };
      const error = await failure(as(service.token()).clients.createClient(request));
      assert.deepEqual(
        violations(error).map(({ field }) => field),
        ["applicationBindings[1].applicationId"],
      );
    });

    test("a missing scope is named", async () => {
      const error = await failure(
        as(service.token("oauth:clients:read")).clients.regenerateSecret({ clientId: unknown }),
      );
      assert.equal(error.code, Code.PermissionDenied);
      assert.deepEqual([reason(error), scopeNeeded(error)], ["INSUFFICIENT_SCOPE", "oauth:clients:rotate"]);
      assert.deepEqual(violations(error), []);
    });

    test("an unknown client and a public one have their reasons", async () => {
      const { clients } = as(service.token());
      const error = await failure(clients.regenerateSecret({ clientId: unknown }));
      assert.deepEqual(
        [error.code, reason(error), scopeNeeded(error)],
        [Code.NotFound, "CLIENT_NOT_FOUND", undefined],
      );

      const { client } = await clients.createClient({ ...app, hasSecret: false });
      const refused = await failure(clients.regenerateSecret({ clientId: client.clientId }));
      assert.deepEqual([refused.code, reason(refused)], [Code.FailedPrecondition, "PUBLIC_CLIENT"]);
    });
  });
}

describe("the token", () => {
  const createTransport = transports["Connect over HTTP/1.1"];

  test("comes from a function that is asked before every call", async () => {
    const tokens = [service.token("oauth:clients:read"), service.token("oauth:clients:verify")];
    const { clients } = createClients({
      transport: createTransport({ baseUrl: service.url }),
      token: async () => tokens.shift(),
    });
    await clients.listClients({});
    assert.equal(scopeNeeded(await failure(clients.listClients({}))), "oauth:clients:read");
  });

  test("is given to a transport that is made for a URL", async () => {
    const { clients } = createClients({
      baseUrl: service.url,
      createTransport,
      token: () => service.token(),
    });
    assert.equal((await clients.createClient(app)).client.name, app.name);
  });

  test("is one of a caller's own interceptors", async () => {
    const transport = createTransport({ baseUrl: service.url, interceptors: [bearer(service.token())] });
    assert.equal((await createClients({ transport }).clients.createClient(app)).client.name, app.name);
  });

  test("leaves the other headers of a call alone", async () => {
    let seen;
    const spy = (next) => async (request) => ((seen = request.header), next(request));
    const transport = createTransport({ baseUrl: service.url, interceptors: [spy] });
    const { clients } = createClients({ transport, token: service.token() });
    await clients.listClients({}, { headers: { "X-Request-Id": "mine" } });
    assert.equal(seen.get("X-Request-Id"), "mine");
  });

  test("that cannot be had fails the call, and nothing is sent", async () => {
    const sent = [];
    const spy = (next) => async (request) => (sent.push(request.url), next(request));
    const token = () => Promise.reject(new Error("no session"));
    const { clients } = createClients({
      transport: createTransport({ baseUrl: service.url, interceptors: [spy] }),
      token,
    });
    await assert.rejects(clients.listClients({}), /no session/);
    assert.deepEqual(sent, []);
  });

  test("is not needed for what is public", async () => {
    for (const options of [
      { transport: createTransport({ baseUrl: service.url }) },
      { baseUrl: service.url, createTransport },
    ]) {
      const { clients } = createClients(options);
      assert.deepEqual((await clients.getPublicClients({ clientId: [unknown] })).clients, {});
      assert.equal((await failure(clients.listClients({}))).code, Code.Unauthenticated);
    }
  });
});

test("an error of another kind has no details", () => {
  for (const error of [new Error("x"), new ConnectError("x", Code.NotFound), undefined]) {
    assert.deepEqual([violations(error), reason(error), scopeNeeded(error)], [[], undefined, undefined]);
  }
});

/** The error that a call fails with. */
async function failure(call) {
  const error = await call.then(
    () => assert.fail("the call succeeds"),
    (cause) => cause,
  );
  assert.ok(error instanceof ConnectError, String(error));
  return error;
}
