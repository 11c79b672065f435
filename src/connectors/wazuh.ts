import { parseEmail } from "../domain/email.ts";
import { headline } from "../domain/headline.ts";
import { isObject, type JsonObject } from "../domain/json-object.ts";
import type { CompletedCase } from "../wire/case.ts";
import { ConnectorError } from "./error.ts";
import type { ServiceClient } from "./service-client.ts";

/** Paths of the alert fields that are searched for addresses. `XPOSE_WAZUH_FIELDS` replaces them. */
export const defaultFields =
  "data.srcuser,data.dstuser,data.email,data.office365.UserId,data.win.eventdata.targetUserName";

type Alert = JsonObject;

/** One event for the queue of the manager: the outcome for one address of an alert. */
type WazuhEvent = {
  readonly integration: "xpose";
  readonly xpose: {
    readonly indicator: string;
    readonly status: "completed" | "pending" | "failed" | "error";
    readonly headline: string;
    readonly total?: number;
    readonly high?: number;
    readonly medium?: number;
    readonly low?: number;
    readonly sources_failed: readonly string[];
    readonly request_id: string | null;
    readonly titles: readonly string[];
    readonly error: string | null;
    readonly source: { readonly alert_id: string | null; readonly rule_id: string | null };
  };
};

/** The manager accepts datagrams of 64 KiB but cuts events. Five titles of this length fit into 6,144 bytes. */
const maxTitleLength = 120;
const maxTitles = 5;
/** The time limit for all addresses of one alert together: the manager starts a process per alert. */
const budgetMs = 30_000;

/**
 * The addresses in the fields of an alert, in lower case, without duplicates. None for an alert of this integration.
 */
export function addressesIn(alert: Alert, fields: string): string[] {
  const data = isObject(alert["data"]) ? alert["data"] : {};
  // Our events become alerts, which would start the integration again.
  if (data["integration"] === "xpose" || data["xpose"] !== undefined) return [];
  const texts = fields.split(",").flatMap((field) => textsAt(alert, field.trim().split(".")));
  return [...new Set(texts.map((text) => text.trim().toLowerCase()).filter((text) => parseEmail(text) !== null))];
}

function textsAt(value: unknown, path: readonly string[]): string[] {
  const [name, ...rest] = path;
  if (name === undefined || name === "") return [value].flat().filter((text) => typeof text === "string");
  if (Array.isArray(value)) return value.flatMap((one) => textsAt(one, path));
  return isObject(value) ? textsAt(value[name], rest) : [];
}

/** Looks up each address in turn and sends one datagram per address. Returns false when a look-up failed. */
export async function enrichAlert(
  alert: Alert,
  addresses: readonly string[],
  client: ServiceClient,
  send: (datagram: string) => Promise<void>,
): Promise<boolean> {
  const deadline = performance.now() + budgetMs;
  let isWhole = true;
  for (const address of addresses) {
    const event = await eventOf(alert, address, client, deadline);
    isWhole &&= event.xpose.status === "completed";
    await send(`1:${locationOf(alert)}:${JSON.stringify(event)}`);
  }
  return isWhole;
}

async function eventOf(alert: Alert, address: string, client: ServiceClient, deadline: number): Promise<WazuhEvent> {
  const source = {
    alert_id: idOf(alert["id"]),
    rule_id: idOf(isObject(alert["rule"]) ? alert["rule"]["id"] : null),
  };
  try {
    return {
      integration: "xpose",
      xpose: { ...foundIn(await client.lookUp(address, { tlp: null, deadline })), source },
    };
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
    const { message, kind, requestId } = error;
    return {
      integration: "xpose",
      xpose: {
        indicator: address,
        status: kind,
        headline: message,
        sources_failed: [],
        request_id: requestId,
        titles: [],
        error: message,
        source,
      },
    };
  }
}

function foundIn(found: CompletedCase): Omit<WazuhEvent["xpose"], "source"> {
  const { exposure, failed_sources: failed } = found;
  const { by_severity: counts, total } = exposure;
  return {
    indicator: found.indicator.value,
    status: "completed",
    headline: headline(found),
    total,
    high: counts.high ?? 0,
    medium: counts.medium ?? 0,
    low: counts.low ?? 0,
    sources_failed: failed.map(({ source }) => source),
    request_id: found.request_id,
    titles: exposure.findings.slice(0, maxTitles).map(({ title }) => [...title].slice(0, maxTitleLength).join("")),
    error: null,
  };
}

/** The origin of an event, in the format of the manager's own integrations: `[id] (name) ip->xpose`. */
function locationOf(alert: Alert): string {
  const agent = isObject(alert["agent"]) ? alert["agent"] : {};
  const id = idOf(agent["id"]) ?? "000";
  if (id === "000") return "xpose";
  const from = `[${id}] (${idOf(agent["name"]) ?? ""}) ${idOf(agent["ip"]) ?? "any"}`;
  return `${from.replaceAll("|", "||").replaceAll(":", "|:")}->xpose`;
}

function idOf(value: unknown): string | null {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : null;
}
