import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { AppError, SourceError } from "../../../src/domain/error.ts";
import type { ScanId } from "../../../src/domain/scan.ts";
import { errorResponse } from "../../../src/http/errors.ts";
import { inventedSource } from "../../helpers/invented-source.ts";
import { socClient } from "../../helpers/soc-client.ts";
import { openTestService } from "../../helpers/test-service.ts";

/** The bodies of the published specification, in their key order. For a hit see test/domain/envelope.test.ts. */
function published(name: string): string {
  const file = new URL(`../../fixtures/golden/${name}.json`, import.meta.url);
  return JSON.stringify(JSON.parse(readFileSync(file, "utf8")));
}

const id = "8f14e45f-ceea-467d-9a3f-2b4c1d0e7a12" as ScanId;

test("a miss, a running and a failed scan answer with the published bodies", async () => {
  const service = await openTestService({ app: { newScanId: () => id } });
  const { enrich, get } = socClient(service.respond, service.tenant.token);
  const ended = Promise.withResolvers<void>();
  const source = inventedSource("alpha", async () => {
    await ended.promise;
    throw new SourceError("timeout", "no answer");
  });
  service.sources.splice(0, service.sources.length, source);

  expect(await (await enrich("jane.doe@acme.com")).text()).toBe(published("accepted"));
  const unfinished = await (await get(`/${id}`)).text();
  expect(unfinished.replace(/"(?:queued|scanning)"/, '"running"')).toBe(published("running"));
  ended.resolve();
  await service.runner.whenSettled(id, 10_000, new AbortController().signal);
  expect(await (await get(`/${id}`)).text()).toBe(published("failed"));
});

test("an error answers with the published body", () => {
  const error = new AppError("rate_limited", "Rate limit exceeded for this API key");
  expect(errorResponse(error).body).toBe(published("error"));
});
