// The SDK in a page of another origin than the service's, in Chromium.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";

import { build } from "esbuild";
import { chromium } from "playwright-core";

import { start } from "./service.js";

let service, pages, browser, port;
before(async () => {
  const bundle = await build({
    entryPoints: ["page.js"],
    bundle: true,
    minify: true,
    platform: "browser",
    write: false,
  });
  pages = createServer((request, response) => {
    const script = request.url === "/page.js";
    response.setHeader("Content-Type", script ? "text/javascript" : "text/html");
    response.end(script ? bundle.outputFiles[0].text : '<!doctype html><script src="/page.js"></script>');
  });
  pages.listen(0, "127.0.0.1");
  await once(pages, "listening");
  ({ port } = pages.address());
  service = await start("--cors-origin", `http://localhost:${port}`);
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
});
after(async () => {
  await browser?.close();
  pages?.close();
  await service?.stop();
});

/** Calls a function of page.js in a page of the given host. */
async function inPage(host, name, options) {
  const page = await browser.newPage();
  await page.goto(`http://${host}:${port}/`);
  const result = await page.evaluate(([name, options]) => globalThis[name](options), [name, options]);
  await page.close();
  return result;
}

for (const protocol of ["Connect", "gRPC-Web"]) {
  describe(`a page that speaks ${protocol}`, () => {
    const call = (name, token, clientId) =>
      inPage("localhost", name, { protocol, baseUrl: service.url, token, clientId });

    test("rotates: the old secret is refused, the new one accepted", async () => {
      assert.deepEqual(await call("rotate", service.token()), [false, true]);
    });

    test("reads which field of a request is wrong", async () => {
      assert.deepEqual(await call("failure", service.token(), "x"), {
        code: "InvalidArgument",
        violations: [{ field: "clientId", rule: "string.uuid", message: "must be a valid UUID" }],
        reason: undefined,
        scope: undefined,
      });
    });

    test("reads which scope is missing", async () => {
      const token = service.token("oauth:clients:read");
      assert.deepEqual(await call("failure", token, "550e8400-e29b-41d4-a716-446655440000"), {
        code: "PermissionDenied",
        violations: [],
        reason: "INSUFFICIENT_SCOPE",
        scope: "oauth:clients:rotate",
      });
    });

    test("of an origin that is not allowed reads nothing", async () => {
      const options = { protocol, baseUrl: service.url, token: service.token(), clientId: "x" };
      const { code, violations } = await inPage("127.0.0.1", "failure", options);
      assert.deepEqual([code, violations], ["Unknown", []]);
    });
  });
}
