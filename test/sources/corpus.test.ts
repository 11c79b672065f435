import { expect, test } from "vitest";
import type { Corpus } from "../../src/domain/corpus.ts";
import { deriveKeys } from "../../src/domain/keyed-hash.ts";
import { corpusSources } from "../../src/sources/corpus.ts";
import { openDesk } from "../helpers/corpus-desk.ts";

const keys = deriveKeys(Buffer.alloc(32, 3));
const library = { lookup: async () => [], lookUpMany: async function* () {} };
const corpus: Corpus = {
  name: "shop",
  scope: null,
  confidence: 0.75,
  origin: "shop",
  revision: "1",
  imports: [],
  segments: [],
};

test("each corpus is its own source and allowed offline", () => {
  const sources = corpusSources([corpus, { ...corpus, name: "other", origin: "hibp", confidence: 0.95 }], 5000, {
    library,
    keys,
  });
  expect(sources).toMatchObject([
    { name: "shop", kind: "corpus", confidence: 0.75, origin: "shop", timeoutMs: 5000, isAllowed: true },
    { name: "other", kind: "corpus", confidence: 0.95, origin: "hibp", timeoutMs: 5000, isAllowed: true },
  ]);
});

test("the fingerprint of a corpus changes with its data, confidence, origin and name, and with nothing else", () => {
  const fingerprintOf = (change: Partial<Corpus>, timeoutMs = 5000) =>
    corpusSources([{ ...corpus, ...change }], timeoutMs, { library, keys })[0]?.fingerprint;
  const changes: Partial<Corpus>[] = [{ revision: "2" }, { confidence: 0.5 }, { origin: "hibp" }, { name: "other" }];
  const changed = changes.map((change) => fingerprintOf(change));
  expect(new Set([fingerprintOf({}), ...changed]).size).toBe(5);
  expect(fingerprintOf({}, 1)).toBe(fingerprintOf({}));
  expect(fingerprintOf({})).toMatch(/^[0-9a-f]{64}$/);
});

test("a corpus source returns the findings of its corpus", async () => {
  const desk = openDesk();
  await desk.importText("email\njane.doe@example.com\n");
  const [source] = corpusSources([...desk.corpora.values()], 5000, { library: desk.library, keys });
  const limits = { signal: new AbortController().signal, deadline: new Date() };
  const reply = await source?.lookup({ type: "email", value: "jane.doe@example.com" }, limits);
  expect(reply?.findings).toMatchObject([{ title: "Present in shop" }]);
  expect(await source?.lookup({ type: "email", value: "john@example.com" }, limits)).toEqual({ findings: [] });
});
