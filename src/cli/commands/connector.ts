import { existsSync, readFileSync } from "node:fs";
import { Command } from "commander";
import { takeEnvironment } from "../../config/environment.ts";
import { ConnectorError } from "../../connectors/error.ts";
import { openServiceClient } from "../../connectors/service-client.ts";
import { settingsFrom } from "../../connectors/settings.ts";
import { type JsonObject, parseObject } from "../../domain/json-object.ts";
import { version } from "../../version.ts";
import { PlatformExit } from "../exit.ts";
import type { Output } from "../output.ts";

/** The folder that the Docker runner of Cortex mounts. */
const dockerJobDir = "/job";
/** Readable by the group of Wazuh only, unlike the configuration, whose key shows in the list of processes. */
const wazuhKeyFile = "/var/ossec/etc/xpose.key";
const wazuhQueue = "/var/ossec/queue/sockets/queue";
const wazuhWaitSeconds = 25;
const splunkScanMs = 50_000;
/** Exit codes that the integrator of Wazuh knows. */
const wazuhExit = { failed: 1, usage: 2, queue: 5, alertFile: 6, json: 7 } as const;

/** Programs that platforms start once per look-up. Their input, output and exit codes are those of the platform. */
export function connectorCommand(output: Output): Command {
  return new Command("connector")
    .description("Programs that other platforms start: look-ups in their own form of input and output.")
    .addCommand(cortexCommand(output))
    .addCommand(splunkLookupCommand(output))
    .addCommand(splunkAlertCommand(output))
    .addCommand(wazuhCommand(output))
    .addCommand(checkCommand(output));
}

function cortexCommand(output: Output): Command {
  return new Command("cortex")
    .description("An analyzer of TheHive Cortex: reads a job, looks its address up, writes the report.")
    .argument("[job dir]", "the folder of the job; default /job if it is there, else standard input and output")
    .addHelpText("after", "\nExample:\n  xpose connector cortex < input.json")
    .action(async (named: string | undefined) => {
      const { readJobInput, runCortexJob } = await import("../../connectors/cortex.ts");
      const jobDir = named ?? (existsSync(dockerJobDir) ? dockerJobDir : null);
      const readInput = () => (jobDir === null ? readFileSync(0, "utf8") : readJobInput(jobDir));
      const report = await runCortexJob(jobDir, readInput, { env: takeEnvironment(), version });
      if (jobDir === null) output.out(`${JSON.stringify(report)}\n`);
      if (!report.success) throw new PlatformExit(1);
    });
}

function splunkLookupCommand(output: Output): Command {
  return new Command("splunk-lookup")
    .description("An external lookup of Splunk: fills the empty columns of a table from stored results.")
    .argument("[fields...]", "the names of the fields, as Splunk passes them; they are not used")
    .option("--scan", "start scans for addresses without a stored result, and wait up to 50 s for them")
    .addHelpText("after", "\nExample:\n  xpose connector splunk-lookup email < rows.csv")
    .action(async (_fields: string[], { scan = false }: { scan?: boolean }) => {
      const { fillRows, NoAddressColumn } = await import("../splunk-rows.ts");
      const { openListClient } = await import("../lookup-service.ts");
      const { standardInput } = await import("../standard-input.ts");
      const wish = { isCachedOnly: !scan, waitMs: scan ? splunkScanMs : 0 };
      let ask: ReturnType<typeof openListClient>;
      try {
        ask = openListClient(settingsFrom(takeEnvironment()), wish, "splunk");
      } catch (error) {
        if (!(error instanceof ConnectorError)) throw error;
        // The rows come back all the same, so that a search shows which of them could not be looked up.
        ask = () => Promise.reject(error);
      }
      try {
        const failure = await fillRows(standardInput(), ask, output.out);
        if (failure !== null) throw told(output, 1, failure);
      } catch (error) {
        if (error instanceof NoAddressColumn) throw told(output, 2, error.message);
        throw error;
      }
    });
}

function splunkAlertCommand(output: Output): Command {
  return new Command("splunk-alert")
    .description("An alert action of Splunk: looks the addresses of a result up and writes their cases to an index.")
    .option("--execute", "as Splunk calls it; the payload comes on the standard input")
    .addHelpText("after", "\nExample:\n  xpose connector splunk-alert --execute < payload.json")
    .action(async ({ execute = false }: { execute?: boolean }) => {
      if (!execute) throw told(output, 1, "an alert action is called with --execute");
      const { enrichAlert, parsePayload } = await import("../../connectors/splunk-alert.ts");
      const alert = orExit(output, 2, () => parsePayload(readFileSync(0, "utf8")));
      if (alert.addresses.length === 0) throw told(output, 2, "the result holds no address in the field");
      try {
        const client = openServiceClient(settingsFrom(takeEnvironment()), { name: "splunk", version });
        if (!(await enrichAlert(alert, client))) throw new PlatformExit(3);
      } catch (error) {
        if (error instanceof ConnectorError) throw told(output, 3, error.message);
        throw error;
      }
    });
}

function wazuhCommand(output: Output): Command {
  return new Command("wazuh")
    .description(
      "An integration of Wazuh: looks the addresses of an alert up and puts the outcome on the manager's queue.",
    )
    .argument("<alert file>", "the alert, as JSON")
    .argument("<api key>", `the key, or - for the one in XPOSE_API_KEY_FILE (default ${wazuhKeyFile})`)
    .argument("<url>", "of the service")
    .argument("[more...]", "debug, and what the manager adds")
    .addHelpText("after", "\nExample:\n  xpose connector wazuh /tmp/alert.json - https://xpose.example.com")
    .action(async (alertFile: string, apiKey: string, url: string, more: string[]) => {
      const env = takeEnvironment();
      const { addressesIn, defaultFields, enrichAlert } = await import("../../connectors/wazuh.ts");
      const debug = (text: string) => (more.includes("debug") ? output.err(`xpose: ${text}\n`) : undefined);
      const alert = readAlert(output, alertFile);
      const addresses = addressesIn(alert, env["XPOSE_WAZUH_FIELDS"] || defaultFields);
      debug(`${addresses.length} addresses in the alert`);
      if (addresses.length === 0) return;
      const settings = orExit(output, wazuhExit.usage, () =>
        settingsFrom(
          { ...env, XPOSE_API_KEY: apiKey === "-" ? env["XPOSE_API_KEY"] : apiKey },
          { url, apiKeyFile: wazuhKeyFile, wait: wazuhWaitSeconds },
        ),
      );
      const send = await openQueue(output, env["XPOSE_WAZUH_SOCKET"] || wazuhQueue);
      const client = openServiceClient(settings, { name: "wazuh", version });
      const isWhole = await enrichAlert(alert, addresses, client, async (datagram) => {
        if (!send(datagram)) throw told(output, wazuhExit.queue, "the queue of the manager took no event");
        debug("an event was put on the queue");
      });
      if (!isWhole) throw new PlatformExit(wazuhExit.failed);
    });
}

function readAlert(output: Output, file: string): JsonObject {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    throw told(output, wazuhExit.alertFile, "the alert file cannot be read");
  }
  const alert = parseObject(text);
  if (alert === null) throw told(output, wazuhExit.json, "the alert file holds no JSON object");
  return alert;
}

async function openQueue(output: Output, path: string): Promise<(datagram: string) => boolean> {
  const { sendUnixDatagram, unixSocketAddress } = await import("../../egress/unix-datagram.ts");
  const address = unixSocketAddress(path);
  if (address === null) throw told(output, wazuhExit.queue, "the path of the queue is no path of a socket");
  return (datagram) => sendUnixDatagram(address, datagram);
}

function checkCommand(output: Output): Command {
  return new Command("check")
    .description("A plugin of Nagios and Icinga: asks the service of XPOSE_URL who the key is, and says how it is.")
    .option("--warning <percent>", "warn when less of the limit is left", "20")
    .option("--critical <percent>", "critical when less of the limit is left", "0")
    .addHelpText(
      "after",
      "\nExample:\n  XPOSE_URL=https://xpose.example.com XPOSE_API_KEY_FILE=/etc/icinga/xpose.key xpose connector check",
    )
    .action(async ({ warning, critical }: { warning: string; critical: string }) => {
      const { checkService, unknownResult } = await import("../../connectors/check.ts");
      const limits = { warning: percentOf(warning), critical: percentOf(critical) };
      const { exitCode, line } = await (async () => {
        if (Number.isNaN(limits.warning) || Number.isNaN(limits.critical)) {
          return unknownResult("--warning and --critical want a number from 0 to 100");
        }
        try {
          const client = openServiceClient(settingsFrom(takeEnvironment()), { name: "check", version });
          return await checkService(client, limits);
        } catch (error) {
          if (error instanceof ConnectorError) return unknownResult(error.message);
          throw error;
        }
      })();
      output.out(`${line}\n`);
      if (exitCode !== 0) throw new PlatformExit(exitCode);
    });
}

function percentOf(text: string): number {
  return /^\d{1,3}(?:\.\d+)?$/.test(text) && Number(text) <= 100 ? Number(text) : Number.NaN;
}

/** Says on the standard error why the program ends with a code of the platform. */
function told(output: Output, exitCode: number, message: string): PlatformExit {
  output.err(`${message.startsWith("xpose") ? message : `xpose: ${message}`}\n`);
  return new PlatformExit(exitCode);
}

function orExit<Result>(output: Output, exitCode: number, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (error instanceof ConnectorError) throw told(output, exitCode, error.message);
    throw error;
  }
}
