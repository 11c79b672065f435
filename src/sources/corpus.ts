import type { CorpusLibrary } from "../corpus/library.ts";
import { canonicalJson } from "../domain/canonical-json.ts";
import type { Corpus } from "../domain/corpus.ts";
import { type DerivedKeys, keyedHash } from "../domain/keyed-hash.ts";
import type { Source } from "./source.ts";

type Tools = {
  readonly library: Pick<CorpusLibrary, "lookup" | "lookUpMany">;
  readonly keys: Pick<DerivedKeys, "settings">;
};

/**
 * One source per corpus. The fingerprint includes the revision, so that results from an earlier state of the corpus are
 * not reused (docs/contract.md 5.3). A corpus is local and thus allowed offline.
 */
export function corpusSources(corpora: readonly Corpus[], timeoutMs: number, { library, keys }: Tools): Source[] {
  return corpora.map((corpus) => {
    const { name, confidence, origin, revision } = corpus;
    return {
      name,
      kind: "corpus",
      confidence,
      origin,
      fingerprint: keyedHash(keys.settings, canonicalJson({ kind: "corpus", name, confidence, origin, revision })),
      timeoutMs,
      pace: null,
      isOutside: false,
      isAllowed: true,
      lookUpMany: (indicators, { signal }) => library.lookUpMany(corpus, indicators, signal),
      lookup: async (indicator, { signal }) => ({ findings: await library.lookup(corpus, indicator, signal) }),
    };
  });
}
