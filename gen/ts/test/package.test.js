// The package as it is installed: what is in it, for bundlers and for TypeScript.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";

import { build } from "esbuild";

const installed = "node_modules/clientsd";
const manifest = JSON.parse(readFileSync(`${installed}/package.json`, "utf8"));

test("the caller brings the runtime of protobuf and the transport", () => {
  const peers = { "@bufbuild/protobuf": "^2.5.0", "@connectrpc/connect": "^2.0.0" }; // run tries the oldest
  assert.deepEqual(manifest.peerDependencies, peers);
  assert.equal(manifest.dependencies, undefined);
});

test("types come first of what is exported", () => {
  assert.deepEqual(Object.keys(manifest.exports["."]), ["types", "default"]);
});

describe("a bundler", () => {
  const bundle = async (contents) => {
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: "." },
      bundle: true,
      minify: true,
      format: "esm",
      platform: "browser",
      logLevel: "error",
      write: false,
    });
    return outputFiles[0].text;
  };

  test("finds all that createClients needs", async () => {
    assert.match(await bundle('export { createClients } from "clientsd"'), /createTransport/);
  });

  test("leaves out what is not used", async () => {
    assert.equal(await bundle('import "clientsd"'), "");
    const all = await bundle('export * from "clientsd"');
    const helper = await bundle('export { reason } from "clientsd"');
    assert.doesNotMatch(helper, /createTransport/);
    assert.ok(helper.length < all.length / 2, `${helper.length} of ${all.length} bytes`);
  });
});

describe("TypeScript", () => {
  const readme = readFileSync(`${installed}/README.md`, "utf8");
  mkdirSync("readme", { recursive: true });
  const examples = [...readme.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code], i) => {
    writeFileSync(`readme/example${i}.ts`, code);
    return `readme/example${i}.ts`;
  });

  for (const [module, moduleResolution] of [
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ]) {
    test(`checks consumer.ts and README.md with moduleResolution ${moduleResolution}`, () => {
      assert.ok(examples.length > 0);
      const options = [
        "--module",
        module,
        "--moduleResolution",
        moduleResolution,
        "--target",
        "es2022",
        "--lib",
        "es2022,dom",
      ];
      const tsc = ["node_modules/typescript/bin/tsc", "--noEmit", "--strict", "--types", "node", ...options];
      const { status, stdout } = spawnSync(process.execPath, [...tsc, "consumer.ts", ...examples], {
        encoding: "utf8",
      });
      assert.equal(status, 0, stdout);
    });
  }
});
