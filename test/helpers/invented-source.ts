import { makeFinding } from "../../src/domain/finding.ts";
import type { Source, SourceReply } from "../../src/sources/source.ts";

/** A source whose answer the test defines. */
export function inventedSource(name: string, lookup: Source["lookup"], settings: Partial<Source> = {}): Source {
  return {
    name,
    kind: "invented",
    confidence: 0.7,
    origin: name,
    fingerprint: `${name}/1`,
    timeoutMs: 60_000,
    pace: null,
    isOutside: true,
    isAllowed: true,
    lookup,
    ...settings,
  };
}

/** An answer with one breach per name. */
export function found(...names: string[]): SourceReply {
  return {
    findings: names.map((name) =>
      makeFinding({ category: "breach", severity: "medium", title: `Present in ${name}`, subject: name }),
    ),
  };
}
