import type { Author } from "../domain/audit.ts";
import type { Indicator } from "../domain/indicator.ts";
import { corpusHash, type DerivedKeys, indicatorHash } from "../domain/keyed-hash.ts";
import type { CorpusStore } from "../store/port/corpus.ts";

type Tools = { readonly store: Pick<CorpusStore, "forget">; readonly keys: DerivedKeys; readonly by: Author };

/**
 * Erases an indicator (docs/contract.md 12.6a). Its hash is kept so that no corpus answers for it and no later import
 * brings it back; the next merge drops its records. Stored scans of the indicator are deleted in the same transaction.
 */
export async function forgetIndicator(indicator: Indicator, { store, keys, by }: Tools): Promise<void> {
  const hashes = {
    indicatorHash: indicatorHash(keys, indicator),
    corpusHash: corpusHash(keys, indicator).toString("hex"),
  };
  await store.forget(hashes, by);
}
