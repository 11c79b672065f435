import { expect, test } from "vitest";
import { sourceChanges } from "../../src/domain/source-change.ts";
import { testAuthor } from "../helpers/test-author.ts";

const before = new Map([
  ["hibp", "one"],
  ["misp", "one"],
]);

test.each([
  { what: "nothing differs", now: before, events: [] },
  { what: "a source is added", now: new Map([...before, ["emailrep", "one"]]), events: ["source.added emailrep"] },
  { what: "settings change", now: new Map([...before, ["misp", "two"]]), events: ["source.changed misp"] },
  { what: "a source is switched off", now: new Map([["hibp", "one"]]), events: ["source.removed misp"] },
  {
    what: "all at once",
    now: new Map([
      ["hibp", "two"],
      ["corpus", "one"],
    ]),
    events: ["source.changed hibp", "source.added corpus", "source.removed misp"],
  },
])("$what", ({ now, events }) => {
  const found = sourceChanges(before, now, testAuthor).map(({ action, detail }) => `${action} ${detail}`);
  expect(found).toEqual(events);
});
