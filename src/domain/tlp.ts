/** Marks of the Traffic Light Protocol 2.0, from open to closed (docs/pipeline.md 16.2). */
export const tlps = ["clear", "green", "amber", "amber+strict", "red"] as const;
export type Tlp = (typeof tlps)[number];

/** Parses a mark in any case; `white` is the older name of `clear`. Null for an unknown mark. */
export function parseTlp(text: string): Tlp | null {
  const folded = text.toLowerCase();
  if (folded === "white") return "clear";
  return tlps.find((tlp) => tlp === folded) ?? null;
}
