import { openServiceClient, type ServiceSettings } from "../connectors/service-client.ts";
import { version } from "../version.ts";
import type { BulkResult } from "../wire/bulk.ts";
import type { Envelope } from "../wire/envelope.ts";
import type { LookupResult } from "./lookup-rows.ts";

/** Looks addresses up; the results are in their order. An address that is null or no address is `invalid`. */
export type Lookup = (addresses: readonly (string | null)[]) => Promise<LookupResult[]>;

type Options = {
  readonly isCachedOnly: boolean;
  /** How long the scans of one list are waited for. */
  readonly waitMs: number;
};

const waitSeconds = 50;
/** A service that is busy or whose budget is used up is asked again within this time, as its answer says. */
const patienceMs = 120_000;

/** A row of a list with the envelope of its scan, null where there is none. */
export type FoundRow = BulkResult & { readonly envelope: Envelope | null };

/** Looks addresses up in a service, a list at a time (docs/pipeline.md 19). */
export function lookUpInService(settings: ServiceSettings, options: Options): Lookup {
  const ask = openListClient(settings, options, "lookup");
  return async (addresses) => (await ask(addresses)).map(toResult);
}

/** Asks a service about a list and waits for it; the rows are in the order of the addresses. `name` is that of the client. */
export function openListClient(settings: ServiceSettings, { isCachedOnly, waitMs }: Options, name: string) {
  const client = openServiceClient(settings, { name, version });
  return async (addresses: readonly (string | null)[]): Promise<FoundRow[]> => {
    const startedAt = performance.now();
    const body = {
      indicators: addresses.map((value) => ({ type: "email", value: value ?? "" })),
      ...(isCachedOnly ? { options: { cached_only: true } } : {}),
    };
    let list = (await client.ask({ path: "/enrich/bulk", body, deadline: startedAt + patienceMs })).body;
    const path = `/enrich/bulk/${String(list["bulk_id"])}`;
    for (;;) {
      const leftMs = startedAt + waitMs - performance.now();
      if (list["status"] === "completed" || leftMs <= 0) break;
      const wait = Math.min(waitSeconds, Math.max(1, Math.ceil(leftMs / 1000)));
      list = (await client.ask({ path, wait, deadline: performance.now() + patienceMs })).body;
    }
    const rows: FoundRow[] = [];
    for await (const line of client.lines({ path, deadline: performance.now() + patienceMs })) {
      rows.push(JSON.parse(line) as FoundRow);
    }
    return rows;
  };
}

function toResult({ status, total, failed_sources, request_id, envelope }: FoundRow): LookupResult {
  return {
    status,
    total,
    ...severityCounts(envelope?.exposure.by_severity ?? null),
    sourcesFailed: failed_sources,
    requestId: request_id,
  };
}

/** Null where nothing is known; 0 for a severity that an envelope does not name. */
export function severityCounts(
  counts: Envelope["exposure"]["by_severity"] | null,
): Pick<LookupResult, "high" | "medium" | "low"> {
  if (counts === null) return { high: null, medium: null, low: null };
  return { high: counts.high ?? 0, medium: counts.medium ?? 0, low: counts.low ?? 0 };
}
