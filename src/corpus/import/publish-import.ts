import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Corpus } from "../../domain/corpus.ts";
import type { CorpusStore } from "../../store/port/corpus.ts";
import { formats } from "../formats/registry.ts";
import { keyCheck } from "../segment/segment.ts";
import { syncFolder } from "../segment/segment-writer.ts";
import type { ImportOptions } from "./import.ts";
import { safeText } from "./import-defaults.ts";
import { type Job, progressOf, type Reading } from "./read-entries.ts";
import { skippedOf } from "./record-lane.ts";
import type { WrittenSegment } from "./write-import.ts";

/**
 * The version of the rules for what is kept of a record. Imports under version 1 may hold text of foreign files: names,
 * titles and sites that are not real names, titles and sites.
 */
export const importRules = 2;

type Publishing = Job & { readonly reading: Reading; readonly startedAt: number };
type Published = WrittenSegment & {
  readonly outcome: "published" | "already_imported" | "dry run";
  readonly sameAs: string | null;
};

/**
 * Writes the segment and makes it visible. Leaves no file behind when this fails or when the same bytes are already
 * imported.
 */
export async function publishImport(publishing: Publishing): Promise<Published> {
  const { options, context, input, reading, id, startedAt } = publishing;
  const { mainFormat, info, lanes, runs, tally } = reading;
  const { corporaDir, keys, signal, store, newId, now, by } = context;
  const file = `${id}.seg`;
  const temporaryPath = join(corporaDir, `${id}.tmp`);
  const path = join(corporaDir, file);
  const [lane] = lanes;
  if (lane === undefined) throw new Error("the import has no lane");
  let isPublished = false;
  try {
    const written = await untilAborted(
      signal,
      lane.write({ path: temporaryPath, id, info, runs, check: keyCheck(keys) }, (recordCount) =>
        context.onProgress?.(progressOf(input, tally, recordCount)),
      ),
    );
    const contentSha256 = input.contentSha256();
    if (options.isDryRun === true) {
      return { ...written, outcome: "dry run", sameAs: await sameContent(contentSha256, options.name, store) };
    }
    await rename(temporaryPath, path);
    await syncFolder(corporaDir);
    signal.throwIfAborted();
    const format = formats[mainFormat];
    const publication = {
      name: options.name,
      scope: options.scope,
      confidence: { value: options.confidence ?? format.confidence, isGiven: options.confidence !== undefined },
      origin: { value: options.origin ?? format.origin ?? options.name, isGiven: options.origin !== undefined },
      revision: newId(),
      import: {
        id,
        fileName: input.fileName,
        sha256: input.sha256(),
        contentSha256: contentSha256,
        rules: importRules,
        format: Object.keys(tally.formats).join(", "),
        importer: options.importer,
        options: givenOptions(options),
        readCount: tally.read,
        recordCount: written.recordCount,
        skipped: skippedOf(tally, written.recordCount),
        importedAt: now(),
        durationMs: Math.max(0, now().getTime() - startedAt),
      },
      segment: { ...written, file },
    };
    const { outcome, sameAs } = await store.publishImport(publication, by());
    isPublished = outcome === "published";
    return { ...written, outcome, sameAs };
  } finally {
    if (!isPublished) {
      // Close the lanes first: a lane that is still writing would create the file again.
      await Promise.all(lanes.map((lane) => lane.close()));
      await Promise.all([rm(temporaryPath, { force: true }), rm(path, { force: true })]);
    }
  }
}

/** The options of this import as typed by the operator, without addresses and secrets. */
function givenOptions({ format, title, category, severity, subject, date }: ImportOptions): Record<string, string> {
  const given = Object.entries({ format, title, category, severity, subject, date });
  return Object.fromEntries(
    given.flatMap(([name, value]) => (value === undefined ? [] : [[name, safeText(value, 255)]])),
  );
}

/** Rejects as soon as the signal aborts. The work itself goes on until the lane is closed. */
function untilAborted<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** The first other corpus with an import of the same unpacked bytes. */
async function sameContent(
  contentSha256: string,
  name: string,
  store: Pick<CorpusStore, "listCorpora">,
): Promise<string | null> {
  const holds = (corpus: Corpus) => corpus.imports.some((one) => one.contentSha256 === contentSha256);
  return (await store.listCorpora()).find((corpus) => corpus.name !== name && holds(corpus))?.name ?? null;
}
