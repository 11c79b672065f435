import { headline } from "../domain/headline.ts";
import { isLoopbackAddress } from "../domain/ip-address.ts";
import { isObject, parseObject } from "../domain/json-object.ts";
import { systemCa } from "../egress/connection.ts";
import { ConnectorError } from "./error.ts";
import type { ServiceClient } from "./service-client.ts";

export type SplunkAlert = {
  readonly addresses: readonly string[];
  readonly index: string;
  readonly sessionKey: string;
  readonly serverUri: string;
  readonly sid: string;
  readonly searchName: string;
};

/** The time limit for all look-ups of one alert together. */
const budgetMs = 240_000;
const sendMs = 30_000;

/** Reads the payload that Splunk writes to the standard input of an alert action. Throws `ConnectorError`. */
export function parsePayload(text: string): SplunkAlert {
  const payload = parseObject(text);
  if (payload === null) throw new ConnectorError("xpose: the payload is not a JSON object");
  const configuration = isObject(payload["configuration"]) ? payload["configuration"] : {};
  const result = isObject(payload["result"]) ? payload["result"] : {};
  const field = textOf(configuration["field"]) ?? "email";
  const values = [result[field]].flat().filter((value) => typeof value === "string");
  const addresses = values.flatMap((value) => value.split(/[\s,;]+/)).filter((value) => value.includes("@"));
  const serverUri = textOf(payload["server_uri"]) ?? "";
  const sessionKey = textOf(payload["session_key"]) ?? "";
  if (serverUri === "" || sessionKey === "") {
    throw new ConnectorError("xpose: the payload holds no server_uri or no session_key");
  }
  return {
    addresses: [...new Set(addresses.map((value) => value.toLowerCase()))],
    index: textOf(configuration["index"]) ?? "main",
    sessionKey,
    serverUri,
    sid: textOf(payload["sid"]) ?? "",
    searchName: textOf(payload["search_name"]) ?? "",
  };
}

/**
 * Looks up each address and sends the case to Splunk as an event. A failed look-up is an event too, because silence
 * would read as clean. Returns false when a look-up failed. Throws `ConnectorError` when Splunk refuses an event.
 */
export async function enrichAlert(alert: SplunkAlert, client: ServiceClient): Promise<boolean> {
  const deadline = performance.now() + budgetMs;
  const from = { sid: alert.sid, search_name: alert.searchName };
  let isWhole = true;
  for (const indicator of alert.addresses) {
    try {
      const found = await client.lookUp(indicator, { tlp: null, deadline });
      await sendEvent(alert, { headline: headline(found), ...from, ...found });
    } catch (error) {
      if (!(error instanceof ConnectorError) || error instanceof SplunkRefusal) throw error;
      isWhole = false;
      await sendEvent(alert, { headline: error.message, status: "error", error: error.message, indicator, ...from });
    }
  }
  return isWhole;
}

class SplunkRefusal extends ConnectorError {}

async function sendEvent({ serverUri, sessionKey, index }: SplunkAlert, event: object): Promise<void> {
  const query = new URLSearchParams({ index, sourcetype: "xpose:case", source: "xpose", host: "xpose" });
  const url = `${serverUri.replace(/\/+$/, "")}/services/receivers/simple?${query}`;
  let status: number;
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { Authorization: `Splunk ${sessionKey}` },
      body: JSON.stringify(event),
      redirect: "manual",
      signal: AbortSignal.timeout(sendMs),
      ...tlsTo(serverUri),
    });
    status = response.status;
  } catch {
    throw new SplunkRefusal("xpose: Splunk does not answer at its server_uri");
  }
  if (status < 200 || status >= 300) throw new SplunkRefusal(`xpose: Splunk took no event (HTTP ${status})`);
}

/** splunkd has a self-signed certificate. It is not verified on this machine, but on all others. */
function tlsTo(serverUri: string): { tls?: object } {
  const address = URL.parse(serverUri);
  if (address?.protocol !== "https:") return {};
  const host = address.hostname.replace(/^\[|\]$/g, "");
  const isLocal = host === "localhost" || isLoopbackAddress(host);
  return { tls: isLocal ? { rejectUnauthorized: false } : { ca: [systemCa()] } };
}

function textOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
