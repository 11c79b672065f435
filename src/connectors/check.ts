import { isObject, type JsonObject } from "../domain/json-object.ts";
import { ConnectorError } from "./error.ts";
import type { ServiceClient } from "./service-client.ts";

/** States of a monitoring plugin, in the order of their exit codes. */
const states = ["OK", "WARNING", "CRITICAL", "UNKNOWN"] as const;

export type CheckResult = { readonly exitCode: 0 | 1 | 2 | 3; readonly line: string };

/** The percentage of the limit that must be left. */
export type CheckLimits = { readonly warning: number; readonly critical: number };

const budgetMs = 10_000;

/**
 * Asks the service only about the key. Reports the outcome like a plugin of Nagios and Icinga: one line, with the
 * figures after a bar, and an exit code from 0 to 3.
 */
export async function checkService(client: ServiceClient, limits: CheckLimits): Promise<CheckResult> {
  try {
    const { body } = await client.ask({ path: "/whoami", deadline: performance.now() + budgetMs });
    return judge(body, limits);
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
    return result(2, error.message);
  }
}

function judge(body: JsonObject, limits: CheckLimits): CheckResult {
  const { limit, remaining } = requestsOf(body);
  const figures = ` | requests_left=${remaining ?? "U"};;;0;${limit ?? ""}`;
  const missing = sourcesOf(body).filter(({ state }) => state !== "ready");
  const left = limit === null || remaining === null || limit === 0 ? 100 : (remaining / limit) * 100;
  const rest = limit === null || limit === 0 ? "no limit" : `${remaining} of ${limit} requests left`;
  const count = sourcesOf(body).length;
  if (left < limits.critical) return result(2, `${rest}${figures}`);
  if (missing.length > 0) {
    return result(1, `${missing.map(({ source, state }) => `${source} is ${state}`).join(", ")}; ${rest}${figures}`);
  }
  if (left < limits.warning) return result(1, `${rest}${figures}`);
  return result(0, `${count === 1 ? "1 source" : `${count} sources`} ready; ${rest}${figures}`);
}

/** A result without an answer of the service, for example for a missing setting. */
export function unknownResult(message: string): CheckResult {
  return result(3, message);
}

function result(exitCode: CheckResult["exitCode"], text: string): CheckResult {
  return { exitCode, line: `XPOSE ${states[exitCode]} - ${text.replace(/^xpose: /, "")}` };
}

function requestsOf(body: JsonObject): { limit: number | null; remaining: number | null } {
  const limits = isObject(body["limits"]) ? body["limits"] : {};
  const requests = isObject(limits["requests"]) ? limits["requests"] : {};
  return { limit: numberOf(requests["limit"]), remaining: numberOf(requests["remaining"]) };
}

function sourcesOf(body: JsonObject): { source: string; state: string }[] {
  const rows = Array.isArray(body["sources"]) ? body["sources"] : [];
  return rows.filter(isObject).map((row) => ({ source: String(row["source"]), state: String(row["state"]) }));
}

function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
