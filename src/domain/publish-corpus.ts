import type { Corpus } from "./corpus.ts";
import { AppError } from "./error.ts";
import type { WorkspaceId } from "./workspace.ts";

/** The settings that an import requests for its corpus; `isGiven`: the operator gave the value. */
export type CorpusWish = {
  readonly name: string;
  readonly scope: WorkspaceId | null;
  readonly confidence: { readonly value: number; readonly isGiven: boolean };
  readonly origin: { readonly value: string; readonly isGiven: boolean };
};

/** The corpus after the import; `hasChanged` when it needs a new revision. */
export type PublishedCorpus = Pick<Corpus, "confidence" | "origin"> & { readonly hasChanged: boolean };

/**
 * The settings of a corpus after an import. `existing` is the corpus with this name, `twin` is another corpus with the
 * same content, and `isKnown` means that the same bytes were imported before. Throws `conflict` for another scope.
 */
export function publishCorpus(
  { name, scope, confidence, origin }: CorpusWish,
  existing: Pick<Corpus, "scope" | "confidence" | "origin"> | null,
  twin: Pick<Corpus, "origin"> | null,
  isKnown: boolean,
): PublishedCorpus {
  if (existing !== null && existing.scope !== scope) {
    throw new AppError("conflict", "The corpus of that name has another scope");
  }
  const newConfidence = existing === null || confidence.isGiven ? confidence.value : existing.confidence;
  const newOrigin = originOf(name, origin, existing?.origin ?? null, twin?.origin ?? null);
  const hasChanged = !isKnown || newConfidence !== existing?.confidence || newOrigin !== existing.origin;
  return { confidence: newConfidence, origin: newOrigin, hasChanged };
}

/**
 * An origin that the operator gave wins. Else corpora with equal content share an origin, so that they do not
 * corroborate each other (docs/pipeline.md 21.1): a corpus whose origin is its own name takes the origin of its twin.
 */
function originOf(name: string, given: CorpusWish["origin"], existing: string | null, twin: string | null): string {
  if (given.isGiven) return given.value;
  const isFree = existing === null || existing === name;
  return twin !== null && isFree ? twin : (existing ?? given.value);
}
