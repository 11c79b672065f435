import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { parseIndicator } from "../../src/domain/indicator.ts";
import { openHttpClient } from "../../src/egress/client.ts";
import { emailrep } from "../../src/sources/emailrep.ts";
import { hibp } from "../../src/sources/hibp.ts";
import { misp } from "../../src/sources/misp.ts";
import type { LookupContext } from "../../src/sources/source.ts";
import { type FaultServer, faults, startFaultServer } from "../helpers/fault-server.ts";
import { lookupContext } from "../helpers/lookup-context.ts";

const indicator = parseIndicator("email", "jane.doe@example.com");

type Way = Pick<LookupContext<unknown>, "baseUrl" | "apiKey" | "http"> & { readonly timeoutMs: number };

/** The sources that use HTTP, each with settings that make it send all its requests. */
const lookups = {
  emailrep: (way: Way) => emailrep.lookup(indicator, lookupContext({ ...way, settings: {} })),
  "hibp by address": (way: Way) =>
    hibp.lookup(
      indicator,
      lookupContext({ ...way, settings: { mode: "account", pastes: true, stealer_logs: true, catalogue: null } }),
    ),
  "hibp by range": (way: Way) =>
    hibp.lookup(
      indicator,
      lookupContext({ ...way, settings: { mode: "range", pastes: false, stealer_logs: false, catalogue: null } }),
    ),
  misp: (way: Way) => misp.lookup(indicator, lookupContext({ ...way, settings: { max_tlp: "red" } })),
};

let upstream: FaultServer;
beforeAll(async () => {
  upstream = await startFaultServer();
}, 30_000);
afterAll(() => upstream.close());

describe.each(Object.entries(lookups))("%s", (_name, lookup) => {
  test.each(Object.entries(faults))("reports %s as %s, in time and in little memory", async (fault, reason) => {
    const http = openHttpClient({ userAgent: "xpose/1.2.3", proxy: null, noProxy: [], extraCa: upstream.ca });
    onTestFinished(() => http.close());
    // Faults that end at the deadline get a short deadline; the others must end long before theirs.
    const timeoutMs = reason === "timeout" ? 300 : 5_000;
    Bun.gc(true);
    const startBytes = process.memoryUsage.rss();
    const startedAt = performance.now();
    const way = { baseUrl: upstream.url(fault as keyof typeof faults), apiKey: "canary-key", http, timeoutMs };
    const outcome: unknown = await lookup(way).catch((error: unknown) => error);
    const tookMs = performance.now() - startedAt;
    const grownBytes = process.memoryUsage.rss() - startBytes;
    expect(outcome).toMatchObject({ name: "SourceError", reason });
    expect(String(outcome)).not.toMatch(/canary-key|jane/);
    expect(tookMs).toBeLessThan(2_300);
    expect(grownBytes).toBeLessThan(64 * 1024 * 1024);
  });
});
