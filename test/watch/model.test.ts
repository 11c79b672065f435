import fc from "fast-check";
import { expect, test } from "vitest";
import { SourceError } from "../../src/domain/error.ts";
import type { Finding } from "../../src/domain/finding.ts";
import { deriveKeys } from "../../src/domain/keyed-hash.ts";
import { parseWatchChange } from "../../src/domain/watch.ts";
import type { WorkspaceId } from "../../src/domain/workspace.ts";
import { openBell } from "../../src/event-loop/bell.ts";
import type { Live } from "../../src/scans/live.ts";
import type { Source } from "../../src/sources/source.ts";
import type { Store } from "../../src/store/port/store.ts";
import { SqliteStore } from "../../src/store/sqlite/store.ts";
import { runCorpusRound, runFirstChecks } from "../../src/watch/corpus-rounds.ts";
import { readEventList } from "../../src/watch/event-list.ts";
import { openSealer } from "../../src/watch/seal.ts";
import { addToWatchList, removeFromWatchList } from "../../src/watch/watch-list.ts";
import type { WatchTools } from "../../src/watch/watch-tools.ts";
import type { ExposureEvent, WatchEventBody } from "../../src/wire/event.ts";
import { found, inventedSource } from "../helpers/invented-source.ts";
import { testAuditKey, testAuthor } from "../helpers/test-author.ts";

const workspaceId = "11111111-1111-4111-8111-111111111111" as WorkspaceId;
const keys = deriveKeys(new Uint8Array(32).fill(9));
const randomBytes = (count: number) => crypto.getRandomValues(new Uint8Array(count));
const author = { author: testAuthor, key: null };
const addresses = Array.from({ length: 6 }, (_, index) => `user${index}@example.com`);
const names = ["alpha", "beta"];

type Step =
  | { readonly do: "add" | "remove"; readonly who: number }
  | { readonly do: "import"; readonly name: number; readonly holds: readonly number[] }
  | { readonly do: "drop" | "break" | "mend"; readonly name: number }
  | { readonly do: "look" }
  /** The process dies after this many writes of the round. */
  | { readonly do: "crash"; readonly afterWrites: number };

const who = fc.nat({ max: addresses.length - 1 });
const name = fc.nat({ max: names.length - 1 });
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom("add" as const, "add" as const, "remove" as const), who }),
  fc.record({ do: fc.constant("import" as const), name, holds: fc.uniqueArray(who) }),
  fc.record({ do: fc.constantFrom("drop" as const, "break" as const, "mend" as const), name }),
  fc.record({ do: fc.constant("look" as const) }),
  fc.record({ do: fc.constant("crash" as const), afterWrites: fc.nat({ max: 3 }) }),
);

/** Store, corpora and list with what is expected of them. */
async function openWorld() {
  const store = SqliteStore.inMemory(testAuditKey);
  await store.insertWorkspace({ id: workspaceId, name: "w", plan: "team", disabledAt: null }, null, testAuthor);
  /** What each corpus holds; its revision counts. */
  const corpora = new Map<string, Set<string>>();
  const broken = new Set<string>();
  const watched = new Set<string>();
  /** `address corpus` that an event told and that is held since. */
  const told = new Set<string>();
  const events: WatchEventBody[] = [];
  let revision = 0;

  const sourceOf = (corpus: string): Source =>
    inventedSource(corpus, async () => found(), {
      kind: "corpus",
      async *lookUpMany(indicators) {
        const fault = new SourceError("internal", "a segment is damaged");
        yield indicators.flatMap(({ value }, at) => {
          if (broken.has(corpus)) return [{ at, result: fault as readonly Finding[] | SourceError }];
          return corpora.get(corpus)?.has(value) === true ? [{ at, result: found(corpus).findings }] : [];
        });
      },
    });

  const live = {
    maxFindings: 2000,
    ledgerRetentionMs: 86_400_000,
    sourcesOf: () => [...corpora.keys()].sort().map(sourceOf),
  } as unknown as Live;

  function toolsOn(own: Store): WatchTools {
    const nothing = () => undefined;
    return {
      store: own,
      keys,
      live: () => live,
      now: () => new Date("2026-06-01T12:00:00Z"),
      newId: () => crypto.randomUUID(),
      randomBytes,
      onEvents: nothing,
      onScan: nothing,
      onRound: nothing,
      log: { info: nothing, error: nothing },
    };
  }

  /** One look of the service; true when a round over all addresses came to its end. */
  async function look(own: Store): Promise<boolean> {
    const sealer = openSealer(keys, randomBytes);
    const { signal } = new AbortController();
    let isRound = false;
    for (const state of await own.watchStates()) {
      isRound = (await runCorpusRound(state, sealer, toolsOn(own), signal)) !== null;
      await runFirstChecks(state, sealer, toolsOn(own), signal);
    }
    return isRound;
  }

  /** Reads on and checks what came: in order, no gap, nothing twice, nothing of a corpus that is broken or does not hold it. */
  async function readOn(): Promise<void> {
    const after = events.at(-1)?.id ?? null;
    const tools = { store, keys, bell: openBell(), steadyNow: () => 0, signal: new AbortController().signal };
    const list = await readEventList(workspaceId, { after, limit: 1000, types: null, waitMs: 0 }, tools);
    for (const event of list.events) {
      expect(Number.parseInt(event.id.slice(0, 13).replace("-", ""), 16)).toBe(events.length + 1);
      events.push(event);
      if (event.type === "exposure.new") expectExposure(event);
    }
    expect(list.next).toBe(events.at(-1)?.id ?? list.next);
  }

  function expectExposure({ indicator, findings, first }: ExposureEvent): void {
    expect(findings.length).toBeGreaterThan(0);
    if (first === true) expect([...told].some((pair) => pair.startsWith(`${indicator.value} `))).toBe(false);
    for (const { source } of findings) {
      const pair = `${indicator.value} ${source}`;
      expect(told.has(pair)).toBe(false);
      expect([
        pair,
        watched.has(indicator.value),
        broken.has(source),
        corpora.get(source)?.has(indicator.value),
      ]).toEqual([pair, true, false, true]);
      told.add(pair);
    }
  }

  /** After a whole round everything that the corpora hold is told; what they hold no more may be told again. */
  function expectComplete(): void {
    for (const pair of told) {
      const [address = "", corpus = ""] = pair.split(" ");
      if (corpora.get(corpus)?.has(address) !== true && !broken.has(corpus)) told.delete(pair);
    }
    for (const [corpus, holds] of corpora) {
      if (broken.has(corpus)) continue;
      for (const address of holds) if (watched.has(address)) expect(told).toContain(`${address} ${corpus}`);
    }
  }

  async function change(corpus: string, holds: ReadonlySet<string> | null): Promise<void> {
    revision += 1;
    if (holds === null) {
      await store.removeCorpus(corpus, String(revision), testAuthor);
      corpora.delete(corpus);
      return;
    }
    corpora.set(corpus, new Set([...(corpora.get(corpus) ?? []), ...holds]));
    const id = crypto.randomUUID();
    await store.publishImport(publicationOf(corpus, String(revision), id), testAuthor);
  }

  async function take(step: Step): Promise<void> {
    if (step.do === "look") {
      // A round that goes on after a crash looks for what changed since then in a round of its own.
      let isRound = false;
      while (await look(store)) isRound = true;
      await readOn();
      if (isRound) expectComplete();
      return;
    }
    if (step.do === "crash") {
      await look(dyingStore(store, step.afterWrites)).catch((error: unknown) => expect(error).toBe(death));
      await readOn();
      return;
    }
    if ("who" in step) {
      const value = addresses[step.who] ?? "";
      const body = parseWatchChange({ indicators: [{ type: "email", value }] });
      const tools = { store, keys, randomBytes, ...author };
      if (step.do === "add") {
        const { added, total } = await addToWatchList(workspaceId, body, 100, tools);
        expect(added).toBe(watched.has(value) ? 0 : 1);
        watched.add(value);
        expect(total).toBe(watched.size);
        return;
      }
      const { removed } = await removeFromWatchList(workspaceId, body, tools);
      expect(removed).toBe(watched.delete(value) ? 1 : 0);
      for (const pair of told) if (pair.startsWith(`${value} `)) told.delete(pair);
      return;
    }
    const corpus = names[step.name] ?? "";
    if (step.do === "import") await change(corpus, new Set(step.holds.map((index) => addresses[index] ?? "")));
    if (step.do === "break") broken.add(corpus);
    if (step.do === "mend") broken.delete(corpus);
    if (step.do !== "drop" || !corpora.has(corpus)) return;
    await change(corpus, null);
    // The next look must see the removal before the name comes again: an import of the same name is another state of it.
    const hasList = watched.size > 0;
    await take({ do: "look" });
    for (const pair of told) if (hasList && pair.endsWith(` ${corpus}`)) told.delete(pair);
  }

  return { take, store };
}

const death = new Error("killed");

/** A store whose process dies before a write of checks. */
function dyingStore(store: Store, afterWrites: number): Store {
  let count = 0;
  const mayWrite = () => {
    count += 1;
    if (count > afterWrites) throw death;
  };
  return {
    ...store,
    async beginRound(round) {
      mayWrite();
      await store.beginRound(round);
    },
    async recordChecks(checks) {
      mayWrite();
      return await store.recordChecks(checks);
    },
    async endRound(...args) {
      mayWrite();
      await store.endRound(...args);
    },
  };
}

function publicationOf(corpus: string, revision: string, id: string) {
  return {
    name: corpus,
    scope: null,
    confidence: { value: 0.75, isGiven: false },
    origin: { value: corpus, isGiven: false },
    revision,
    import: {
      id,
      fileName: "leak.csv",
      sha256: id,
      contentSha256: id,
      rules: 1,
      format: "csv",
      importer: "test",
      options: {},
      skipped: {},
      readCount: 1,
      recordCount: 1,
      importedAt: new Date(0),
      durationMs: 1,
    },
    segment: { file: `${id}.seg`, addressCount: 1, recordCount: 1, templateCount: 1, sizeBytes: 1 },
  };
}

test("20.4, 20.5 no event is lost, none comes twice, none is made by a source that failed, whatever happens in between", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 5, maxLength: 40 }), async (steps) => {
      const { take, store } = await openWorld();
      try {
        for (const step of [...steps, { do: "look" } as const]) await take(step);
      } finally {
        store.close();
      }
    }),
    { numRuns: 60 },
  );
}, 120_000);
