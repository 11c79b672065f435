/**
 * Executes the built nodes as n8n does. With the real packages (argument: their folder) it builds n8n-core's own
 * contexts, and imitates only the credentials of n8n's cli package; else a context of our own with the same helpers.
 */
const { createRequire } = require("node:module");
const Module = require("node:module");
const { request: plainRequest } = require("node:http");
const { request: secureRequest } = require("node:https");
const { join } = require("node:path");

const platform = process.argv[2];
const workflowModule = platform
  ? createRequire(join(platform, "package.json")).resolve("n8n-workflow")
  : join(__dirname, "../stubs/n8n/n8n-workflow.cjs");
const resolveFilename = Module._resolveFilename;
Module._resolveFilename = (name, ...others) =>
  name === "n8n-workflow" && !String(others[0]?.filename).includes("node_modules")
    ? workflowModule
    : resolveFilename(name, ...others);

async function main() {
  let text = "";
  for await (const chunk of process.stdin) text += chunk;
  const { folder, jobs } = JSON.parse(text);
  const { Xpose } = require(join(folder, "dist/nodes/Xpose/Xpose.node.js"));
  const { XposeTrigger } = require(join(folder, "dist/nodes/Xpose/XposeTrigger.node.js"));
  const seen = await Promise.all(jobs.map((job) => run(job, job.trigger ? new XposeTrigger() : new Xpose())));
  process.stdout.write(JSON.stringify(seen));
}

async function run(job, node) {
  const staticData = job.staticData ?? {};
  const credentials = { url: job.url, apiKey: job.key, allowUnauthorizedCerts: job.verify === false };
  const parameters = job.parameters ?? {
    operation: "lookup",
    email: "={{ $json.email }}",
    wait: job.seconds ?? 60,
    options: job.tlp === undefined ? {} : { tlp: job.tlp },
  };
  const items = (job.emails ?? [job.email]).map((email) => ({ json: { email } }));
  const setup = { job, node, parameters, credentials, items, staticData };
  const context = platform ? realContext(setup) : ownContext(setup);
  try {
    const output = job.trigger ? await node.poll.call(context) : await node.execute.call(context);
    return { output, staticData };
  } catch (error) {
    return { error: { name: error.constructor.name, message: error.message, whole: everything(error) }, staticData };
  }
}

/** Everything that n8n could store about an error, at any depth. */
function everything(error) {
  const { inspect } = require("node:util");
  return `${inspect(error, { depth: 12, getters: true, maxStringLength: null, maxArrayLength: null })}\n${error.stack}`;
}

function ownContext({ job, parameters, credentials, items, staticData }) {
  return {
    getInputData: () => items,
    getNode: () => ({ name: "xpose" }),
    getMode: () => job.mode ?? "trigger",
    getWorkflowStaticData: () => staticData,
    getCredentials: async () => credentials,
    continueOnFail: () => job.continueOnFail === true,
    getNodeParameter: (name, at, fallback) =>
      name === "email" ? items[at].json.email : (parameters[name] ?? (job.trigger ? at : fallback)),
    helpers: {
      httpRequestWithAuthentication(type, options) {
        if (type !== "xposeApi") throw new Error(`no credential ${type}`);
        return ask({ ...options, headers: { ...options.headers, "X-API-Key": credentials.apiKey } });
      },
    },
  };
}

/** One request with the options of n8n's helper that the nodes use. */
function ask({ url, method, headers, body, timeout, skipSslCertificateValidation, ...rest }) {
  for (const name of ["returnFullResponse", "ignoreHttpStatusErrors", "disableFollowRedirect", "json"]) {
    if (rest[name] !== true) throw new Error(`the request lacks ${name}`);
  }
  return new Promise((resolve, reject) => {
    const send = url.startsWith("https:") ? secureRequest : plainRequest;
    const sent = { "content-type": "application/json", ...headers };
    const options = { method, headers: sent, timeout, rejectUnauthorized: !skipSslCertificateValidation, agent: false };
    const request = send(url, options, (response) =>
      resolve({ statusCode: response.statusCode, headers: response.headers, body: response }),
    );
    request.on("timeout", () => request.destroy(Object.assign(new Error("timeout"), { code: "ETIMEDOUT" })));
    request.on("error", reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function realContext({ job, node, parameters, credentials, items, staticData }) {
  const from = createRequire(join(platform, "package.json"));
  const { Workflow } = from("n8n-workflow");
  const { ExecuteContext, PollContext } = from("n8n-core");
  const own = {
    id: "1",
    name: "xpose",
    type: `n8n-nodes-xpose.${node.description.name}`,
    typeVersion: 1,
    position: [0, 0],
    parameters,
    credentials: { xposeApi: { id: "1", name: "xpose" } },
    ...(job.continueOnFail === true ? { onError: "continueRegularOutput" } : {}),
  };
  const nodeTypes = { getByName: () => node, getByNameAndVersion: () => node, getKnownTypes: () => ({}) };
  const workflow = new Workflow({ id: "1", nodes: [own], connections: {}, active: false, nodeTypes, settings: {} });
  const additionalData = {
    executionId: "1",
    restApiUrl: "",
    variables: {},
    credentialsHelper: {
      getParentTypes: () => [],
      isCredentialUsableByNode: () => true,
      getCredentialsProperties: () => [],
      getDecrypted: async () => ({ ...credentials }),
      preAuthentication: async () => undefined,
      authenticate: async (data, _type, options) => ({
        ...options,
        headers: { ...options.headers, "X-API-Key": data.apiKey },
      }),
    },
  };
  const mode = job.mode ?? "trigger";
  if (job.trigger) {
    const context = new PollContext(workflow, own, additionalData, mode, "activate");
    context.getWorkflowStaticData = () => staticData;
    return context;
  }
  const inputData = { main: [items] };
  const executeData = { data: inputData, node: own, source: null };
  const runData = { resultData: { runData: {} }, executionData: { contextData: {} } };
  return new ExecuteContext(workflow, own, additionalData, mode, runData, 0, items, inputData, executeData, []);
}

main().then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
);
