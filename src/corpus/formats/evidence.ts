import { isFieldName } from "./column-names.ts";

/**
 * Whether normalised column or member names are those of evidence: a file made for xpose, with a severity or a URL for
 * each address (docs/pipeline.md 21.5).
 */
export function isEvidenceNames(names: readonly string[]): boolean {
  const isMarked = names.includes("severity") || names.includes("sourceurl");
  return isMarked && names.includes("email") && names.every(isFieldName);
}
