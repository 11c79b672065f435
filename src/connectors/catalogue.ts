import bundle from "../../dist/connectors.bundle" with { type: "text" };

export type Connector = {
  readonly name: string;
  /** The platform that the connector extends. */
  readonly platform: string;
  /** `built-in`: the platform starts the executable. `files`: the platform runs the files of the connector. */
  readonly kind: "built-in" | "files";
  /** Paths below `connectors/<name>/`, sorted. */
  readonly files: readonly string[];
};

export type ConnectorFile = { readonly path: string; readonly mode: number; readonly content: Buffer };

/** Connectors whose program is the executable itself. The others consist of files only. */
const builtIn: ReadonlySet<string> = new Set(["cortex", "splunk", "wazuh", "check"]);

const platforms: Readonly<Record<string, string>> = {
  check: "Nagios, Icinga",
  cortex: "TheHive Cortex",
  elastic: "Elastic Logstash and Kibana",
  graylog: "Graylog",
  misp: "MISP",
  n8n: "n8n",
  opencti: "OpenCTI",
  powershell: "PowerShell",
  python: "Python",
  sentinel: "Microsoft Sentinel",
  shuffle: "Shuffle",
  splunk: "Splunk Enterprise",
  "splunk-soar": "Splunk SOAR",
  tines: "Tines",
  wazuh: "Wazuh",
  xsoar: "Cortex XSOAR",
};

type Bundle = Readonly<Record<string, readonly { path: string; mode: number; gzip: string }[]>>;

/** All connectors in the executable, by name. */
export function listConnectors(): Connector[] {
  return Object.entries(read()).map(([name, files]) => ({
    name,
    platform: platforms[name] ?? name,
    kind: builtIn.has(name) ? "built-in" : "files",
    files: files.map(({ path }) => path),
  }));
}

/** The files of a connector, or null for an unknown name. */
export function filesOf(name: string): ConnectorFile[] | null {
  const files = Object.entries(read()).find(([known]) => known === name)?.[1];
  if (files === undefined) return null;
  return files.map(({ path, mode, gzip }) => ({
    path,
    mode,
    content: Buffer.from(Bun.gunzipSync(Buffer.from(gzip, "base64"))),
  }));
}

/** Reads the bundle of the build: for each connector its files, compressed. */
function read(): Bundle {
  return JSON.parse(bundle) as Bundle;
}
