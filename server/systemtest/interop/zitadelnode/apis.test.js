// Every caller rotates a secret and is refused as its contract says.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { start } from "../../../../gen/ts/test/service.js";
import { callers, project } from "./callers.js";

const everything = "oauth:clients:manage oauth:clients:verify client:manage";

// The refusals: of ZITADEL as a gRPC code, its HTTP status and a message, of
// Vigilo as its document has them.
const refusals = {
  "a wrong token": {
    zitadel: [16, 401, "the access token is not a well-formed signed JWT"],
    vigilo: ["invalid_token", 401, "the access token is not a well-formed signed JWT"],
  },
  "a token without the scope": {
    zitadel: [7, 403, 'the access token lacks the scope "project.app.write" or "oauth:clients:manage"'],
    vigilo: ["invalid_scope", 403, "client does not have required scope 'client:manage'"],
  },
  "an unknown client": {
    zitadel: [5, 404, "client not found"],
    vigilo: ["invalid_client", 401, "client does not exist with the given ID"],
  },
  "a client of another organisation": {
    zitadel: [5, 404, "client not found"],
    vigilo: ["invalid_client", 401, "client does not exist with the given ID"],
  },
  "a public client": {
    zitadel: [9, 400, "client is public: it has no secret"],
    vigilo: ["unauthorized_client", 403, "client is not type 'confidential'"],
  },
  "an organisation that the caller may not act in": {
    zitadel: [7, 403, 'the access token lacks the scope "admin"'],
  },
};

let service, token;
before(async () => {
  service = await start();
  token = service.token(everything);
});
after(() => service.stop());

for (const caller of callers) {
  test(caller.name, async (t) => {
    const { clientId, clientSecret } = await create(true);
    const call = { url: service.url, token, app: clientId };
    let current = clientSecret;
    await t.test("rotates, and only the new secret is valid", async () => {
      const { secret, ...refusal } = await caller.rotate(call);
      assert.deepEqual(refusal, {});
      assert.deepEqual([await isValid(clientId, current), await isValid(clientId, secret)], [false, true]);
      current = secret;
    });
    const changes = {
      "a wrong token": { token: "wrong" },
      "a token without the scope": { token: service.token("oauth:clients:read") },
      "an unknown client": { app: randomUUID() },
      "a client of another organisation": { token: service.token(everything, "--organisation", "other") },
      "a public client": { app: (await create(false)).clientId },
      "an organisation that the caller may not act in": { organisation: "other" },
    };
    for (const [name, apis] of Object.entries(refusals).filter(([, apis]) => caller.api in apis)) {
      await t.test(`is refused with ${name}`, async () => {
        const [code, status, message] = apis[caller.api];
        assert.deepEqual(await caller.rotate({ ...call, ...changes[name] }), { code, message, ...(caller.http && { status }) });
        assert.equal(await isValid(clientId, current), true);
      });
    }
  });
}

/** Registers a client, with or without a secret. */
async function create(hasSecret) {
  const { Client } = await post("/xeonr.auth.api.v1.ClientsService/CreateClient", {
    hasSecret,
    name: "A client",
    description: "For a check",
    redirectUri: "https://app.example.com/cb",
    websiteUrl: "https://app.example.com",
    applicationId: project,
  });
  return Client;
}

async function isValid(clientId, secret) {
  const { valid } = await post("/clientsd.v1.SecretsService/VerifySecret", { clientId, secret });
  return valid;
}

async function post(path, body) {
  const response = await fetch(service.url + path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
}
