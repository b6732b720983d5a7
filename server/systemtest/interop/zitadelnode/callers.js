// Those who rotate a secret: ZITADEL's clients for Go and for Node.js, and curl
// as the documents of ZITADEL and Vigilo have it. Each answers {secret}, or the
// refusal as it arrives.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createServerTransport } from "@zitadel/client/node";
import { createManagementServiceClient } from "@zitadel/client/v1";
import { createAccessTokenInterceptor, createManagementClient } from "@zitadel/node/dist/api/index.js";
import { Metadata } from "nice-grpc";

const run = promisify(execFile);

// The application of the clients, which is their project for ZITADEL.
export const project = "app_prod_myapp";

// A call is {url, token, app} and, to act in another organisation, organisation.
export const callers = [
  { name: "zitadel-go", api: "zitadel", rotate: zitadelGo },
  { name: "@zitadel/client", api: "zitadel", rotate: zitadelClient },
  { name: "@zitadel/node", api: "zitadel", rotate: zitadelNode },
  { name: "curl of ZITADEL's REST", api: "zitadel", http: true, rotate: zitadelREST },
  { name: "curl of Vigilo's /client/", api: "vigilo", http: true, rotate: vigilo("client") },
  { name: "curl of Vigilo's /clients/", api: "vigilo", http: true, rotate: vigilo("clients") },
];

function headers(organisation) {
  return organisation === undefined ? {} : { "x-zitadel-orgid": organisation };
}

async function zitadelGo({ url, token, organisation = "", app }) {
  const { hostname, port } = new URL(url);
  const { stdout } = await run(process.env.ZITADEL_GO, [hostname, port, token, organisation, project, app]);
  return JSON.parse(stdout);
}

async function zitadelClient({ url, token, organisation, app }) {
  const client = createManagementServiceClient(createServerTransport(token, { baseUrl: url }));
  try {
    const answer = await client.regenerateOIDCClientSecret({ projectId: project, appId: app }, { headers: headers(organisation) });
    return { secret: answer.clientSecret };
  } catch ({ code, rawMessage }) {
    return { code, message: rawMessage };
  }
}

async function zitadelNode({ url, token, organisation, app }) {
  const client = createManagementClient(url, createAccessTokenInterceptor(token));
  try {
    const answer = await client.regenerateOIDCClientSecret({ projectId: project, appId: app }, { metadata: Metadata(headers(organisation)) });
    return { secret: answer.clientSecret };
  } catch ({ code, details }) {
    return { code, message: details };
  }
}

async function zitadelREST({ url, token, organisation, app }) {
  const { status, body } = await curl(
    `${url}/management/v1/projects/${project}/apps/${app}/oidc_config/_generate_client_secret`,
    { "Content-Type": "application/json", Accept: "application/json", Authorization: `Bearer ${token}`, ...headers(organisation) },
    ["-L", "--data-raw", "{}"],
  );
  return status === 200 ? { secret: body.clientSecret } : { status, code: body.code, message: body.message };
}

function vigilo(prefix) {
  return async ({ url, token, app }) => {
    const { status, body } = await curl(`${url}/${prefix}/${app}/regenerate-secret`, { Authorization: `Bearer ${token}` });
    return status === 200 ? { secret: body.client_secret } : { status, code: body.error, message: body.error_description };
  };
}

async function curl(url, headers, options = []) {
  const fields = Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const { stdout } = await run("curl", ["-sS", "-X", "POST", url, ...fields, ...options, "-w", "\n%{http_code}"]);
  const end = stdout.lastIndexOf("\n");
  return { status: Number(stdout.slice(end)), body: JSON.parse(stdout.slice(0, end)) };
}
