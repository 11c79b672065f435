import { expect, test } from "vitest";
import type { StoredRun } from "../../src/domain/case.ts";
import { type ComparedScan, findChanges } from "../../src/domain/changes.ts";
import type { ScanId } from "../../src/domain/scan.ts";
import type { Atom } from "../../src/wire/finding.ts";
import { failedRun, linkedIn, run } from "../helpers/export-case.ts";

const earlier = "00000000-0000-4000-8000-000000000001" as ScanId;
const later = "00000000-0000-4000-8000-000000000002" as ScanId;

function scan(scanId: ScanId, atoms: readonly Atom[] | null, runs: readonly StoredRun[]): ComparedScan {
  const envelopeTail = atoms === null ? null : JSON.stringify({ exposure: { findings: atoms } }).slice(1);
  return { scanId, runs, envelopeTail };
}

const hibp = (about: Partial<StoredRun> = {}) => run("hibp", { outcome: "ok", ...about });
const atom = (title: string, about: Partial<Atom> = {}): Atom => ({ ...linkedIn, title, ...about });
const other = (title: string): Atom => atom(title, { source: "other" });

type Row = {
  readonly rule: string;
  readonly before: readonly Atom[] | null;
  readonly after: readonly Atom[];
  readonly beforeRuns?: readonly StoredRun[];
  readonly afterRuns?: readonly StoredRun[];
  readonly new?: readonly string[];
  readonly gone?: readonly string[];
  readonly changed?: readonly string[];
  readonly not_comparable?: readonly { source: string; reason: string }[];
};

test.each<Row>([
  { rule: "equal scans", before: [atom("a")], after: [atom("a")] },
  { rule: "a further finding", before: [atom("a")], after: [atom("a"), atom("b")], new: ["b"] },
  { rule: "a finding that is gone", before: [atom("a"), atom("b")], after: [atom("b")], gone: ["a"] },
  {
    rule: "times alone are no change",
    before: [atom("a")],
    after: [atom("a", { last_seen: "2027-01-01T00:00:00+00:00", first_seen: null })],
  },
  { rule: "another severity", before: [atom("a")], after: [atom("a", { severity: "low" })], changed: ["a"] },
  { rule: "another confidence", before: [atom("a")], after: [atom("a", { source_confidence: 0.5 })], changed: ["a"] },
  {
    rule: "another corroboration",
    before: [atom("a")],
    after: [atom("a", { corroboration_count: 0 })],
    changed: ["a"],
  },
  { rule: "other witnesses", before: [atom("a")], after: [atom("a", { corroborated_by: ["x", "y"] })], changed: ["a"] },
  {
    rule: "identity is source, category, title and URL",
    before: [atom("a"), atom("b"), atom("c")],
    after: [atom("a", { category: "paste" }), atom("b", { source_url: null }), other("c")],
    beforeRuns: [hibp(), run("other")],
    afterRuns: [hibp(), run("other")],
    new: ["a", "b", "c"],
    gone: ["a", "b", "c"],
  },
  {
    rule: "a source that failed now removes nothing",
    before: [atom("a"), other("b")],
    after: [other("b")],
    beforeRuns: [hibp(), run("other")],
    afterRuns: [failedRun("hibp"), run("other")],
    not_comparable: [{ source: "hibp", reason: "failed" }],
  },
  {
    rule: "a source that failed before brings nothing",
    before: [],
    after: [atom("a")],
    beforeRuns: [failedRun("hibp")],
    not_comparable: [{ source: "hibp", reason: "failed" }],
  },
  {
    rule: "a source that was skipped",
    before: [atom("a")],
    after: [],
    afterRuns: [run("hibp", { outcome: "skipped", error: "tlp" })],
    not_comparable: [{ source: "hibp", reason: "skipped" }],
  },
  {
    rule: "an answer of an earlier scan",
    before: [atom("a")],
    after: [atom("b")],
    afterRuns: [hibp({ isReused: true })],
    not_comparable: [{ source: "hibp", reason: "reused" }],
  },
  {
    rule: "findings that the envelope leaves out",
    before: [atom("a")],
    after: [],
    afterRuns: [hibp({ omittedCount: 3 })],
    not_comparable: [{ source: "hibp", reason: "omitted" }],
  },
  {
    rule: "a source that is new is no reason: its findings are new",
    before: [],
    after: [other("a")],
    beforeRuns: [],
    afterRuns: [run("other", { outcome: "ok" })],
    new: ["a"],
  },
  {
    rule: "of two reasons that of the later scan counts, sources by name",
    before: [],
    after: [],
    beforeRuns: [failedRun("b"), failedRun("a")],
    afterRuns: [run("b", { outcome: "skipped" }), run("a")],
    not_comparable: [
      { source: "a", reason: "failed" },
      { source: "b", reason: "skipped" },
    ],
  },
  {
    rule: "no earlier scan: all is new, and who did not answer is named",
    before: null,
    after: [atom("a")],
    afterRuns: [hibp({ isReused: true }), failedRun("other")],
    new: ["a"],
    not_comparable: [{ source: "other", reason: "failed" }],
  },
])("17.4 $rule", ({ rule: _rule, before, after, beforeRuns = [hibp()], afterRuns = [hibp()], ...expected }) => {
  const since = before === null ? null : scan(earlier, before, beforeRuns);
  const found = findChanges(scan(later, after, afterRuns), since);
  const titles = (atoms: readonly Atom[]) => atoms.map(({ title }) => title);
  expect(Object.keys(found)).toEqual(["request_id", "since", "new", "gone", "changed", "not_comparable"]);
  expect([found.request_id, found.since]).toEqual([later, before === null ? null : earlier]);
  expect({
    new: titles(found.new),
    gone: titles(found.gone),
    changed: found.changed.map(({ before: one, after: two }) => (one.title === two.title ? one.title : "mixed up")),
    not_comparable: found.not_comparable,
  }).toEqual({ new: [], gone: [], changed: [], not_comparable: [], ...expected });
});

test("17.4 a change shows the atom before and after", () => {
  const [before, after] = [atom("a"), atom("a", { severity: "low" })];
  const found = findChanges(scan(later, [after], [hibp()]), scan(earlier, [before], [hibp()]));
  expect(found.changed).toEqual([{ before, after }]);
});
