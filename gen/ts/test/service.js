// Runs the built binary for the tests, as an operator would.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const binary = process.env.CLIENTSD ?? "clientsd";
const all = "oauth:clients:manage oauth:clients:read oauth:clients:verify";

/** Starts a service on a free port, with more flags if given. */
export async function start(...flags) {
  const folder = mkdtempSync(join(tmpdir(), "clientsd-"));
  const serve = spawn(
    binary,
    ["serve", "--addr", "127.0.0.1:0", "--data-dir", folder, "--log-format", "json", ...flags],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  return {
    url: await servingURL(serve),
    /** Mints an access token. */
    token: (scope = all, ...flags) =>
      execFileSync(binary, ["token", "--data-dir", folder, "--scope", scope, ...flags], { encoding: "utf8" }).trim(),
    /** Ends the service, which must end well, and deletes its data. */
    async stop() {
      const exited = once(serve, "exit");
      serve.kill("SIGTERM");
      const [code] = await exited;
      rmSync(folder, { recursive: true });
      if (code !== 0) {
        throw new Error(`clientsd serve ended with ${code}`);
      }
    },
  };
}

/** Reads the log up to the line that says where the service is. */
async function servingURL(serve) {
  for await (const line of createInterface(serve.stderr)) {
    const { msg, url } = JSON.parse(line);
    if (msg === "serving") {
      serve.stderr.resume(); // a full pipe would block the service
      return url;
    }
  }
  throw new Error("clientsd serve ended before it served");
}
