import { isFieldName } from "./column-names.ts";

/**
 * Whether the names of a table's columns or a record's members, as `columnName` gives them, are those of evidence: a file
 * that was made for xpose and says of each address how severe the finding is, or where it stands (docs/pipeline.md 21.5).
 */
export function isEvidenceNames(names: readonly string[]): boolean {
  const isMarked = names.includes("severity") || names.includes("sourceurl");
  return isMarked && names.includes("email") && names.every(isFieldName);
}
