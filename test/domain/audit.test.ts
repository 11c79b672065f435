import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type AuditEvent,
  auditBody,
  auditEvent,
  chainedMac,
  checkpointText,
  emptyHead,
  eventText,
  headText,
  parseEvent,
  parseHead,
  subjectDigest,
} from "../../src/domain/audit.ts";
import type { WorkspaceId } from "../../src/domain/workspace.ts";
import { anyText } from "../helpers/any-text.ts";
import { chainEvent } from "../helpers/chain-event.ts";
import { testAuthor } from "../helpers/test-author.ts";

const auditKey = new Uint8Array(32).fill(5);
const event = auditEvent({ ...testAuthor, ip: "203.0.113.7", outcome: "201", correlationId: "c-1" }, "key.created", {
  workspaceId: "0b5cf6a4-3f0e-4b86-9f7e-0d6f5a2f7c11" as WorkspaceId,
  keyId: "3f2a8c1e-5d0b-4c7a-9a51-0f6f7b1f2a33",
  keyName: "splunk",
});
/** For each field of an event, a changed value. */
const changes: Partial<AuditEvent>[] = [
  { at: new Date(event.at.getTime() + 1) },
  { workspaceId: null },
  { actor: "operator:mallory" },
  { action: "key.revoked" },
  { keyId: null },
  { keyName: "splunk " },
  { requestId: "3f2a8c1e-5d0b-4c7a-9a51-0f6f7b1f2a33" },
  { indicatorHmac: "ab" },
  { ip: null },
  { outcome: "200" },
  { correlationId: null },
  { count: 0 },
  { detail: "" },
  { subjects: [] },
];

describe("9.8 the chain", () => {
  test("any event survives a round trip through its text, which is one line", () => {
    fc.assert(
      fc.property(anyText(), anyText(), (keyName, detail) => {
        const text = eventText({ ...event, keyName, detail });
        expect(text).not.toMatch(/[\r\n]/);
        expect(parseEvent(text)).toEqual({ ...event, keyName, detail });
      }),
    );
  });

  test("subjects survive a round trip, and an event without subjects keeps the first format", () => {
    const subjects = [
      { id: "key:a", digest: "01" },
      { id: "workspace:b", digest: "02" },
    ];
    expect(parseEvent(eventText({ ...event, subjects }))).toEqual({ ...event, subjects });
    expect(eventText({ ...event, subjects })).toMatch(/^\[2,.*,\[\["key:a","01"\],\["workspace:b","02"\]\]\]$/);
    expect(eventText(event)).toMatch(/^\[1,.*,null,null\]$/);
  });

  const withoutEnd = '0,null,"","",null,null,null,null,null,"",null,null,null';
  test.each([
    "",
    "{}",
    "[]",
    "[1]",
    "null",
    `[2,${withoutEnd}]`,
    `[1,${withoutEnd},[]]`,
    `[2,${withoutEnd},null]`,
    `[2,${withoutEnd},["ab"]]`,
    `[2,${withoutEnd},[["a",1]]]`,
    `[2,${withoutEnd},[["a","b","c"]]]`,
    `[3,${withoutEnd}]`,
  ])("a text that xpose did not write is not an event: %s", (text) => expect(parseEvent(text)).toBeNull());

  test("the number of an event and its text cannot be shifted into each other", () => {
    expect(chainedMac(auditKey, { row: 0, mac: emptyHead.mac }, "1 x")).not.toBe(
      chainedMac(auditKey, { row: 10, mac: emptyHead.mac }, "x"),
    );
  });

  test("there is a changed value for every field of an event", () => {
    expect(changes.flatMap((change) => Object.keys(change)).sort()).toEqual(Object.keys(event).sort());
  });

  test.each(changes)("a row with %j has another mac", (change) => {
    expect(chainEvent(auditKey, emptyHead, { ...event, ...change }).mac).not.toEqual(
      chainEvent(auditKey, emptyHead, event).mac,
    );
  });

  test("a mac depends on the key, on the row number and on the previous row", () => {
    const first = chainEvent(auditKey, emptyHead, event);
    expect(first.row).toBe(1);
    expect(first.mac).toMatch(/^[0-9a-f]{64}$/);
    expect(chainEvent(auditKey, emptyHead, event)).toEqual(first);
    const others = [
      chainEvent(new Uint8Array(32), emptyHead, event),
      chainEvent(auditKey, { ...emptyHead, row: 1 }, event),
      chainEvent(auditKey, { row: 0, mac: first.mac }, event),
    ];
    for (const { mac } of others) expect(mac).not.toEqual(first.mac);
  });

  test("different rows never have the same bytes, whatever their neighbouring fields hold", () => {
    fc.assert(
      fc.property(anyText(), anyText(), anyText(), anyText(), (a, b, c, d) => {
        const one = chainEvent(auditKey, emptyHead, { ...event, keyName: a, detail: b });
        const other = chainEvent(auditKey, emptyHead, { ...event, keyName: c, detail: d });
        expect(one.mac === other.mac).toBe(a === c && b === d);
      }),
    );
  });
});

describe("a subject", () => {
  const row = { id: "a", name: "siem", revoked_at: null, created_at: 1 };

  test("has another digest for another value, kind or id, and the same digest with an extra null column", () => {
    const digest = subjectDigest("key:a", row);
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    for (const change of [{ name: "soar" }, { revoked_at: 1 }, { created_at: 2 }, { scopes: "read" }])
      expect(subjectDigest("key:a", { ...row, ...change })).not.toBe(digest);
    expect(subjectDigest("operator:a", row)).not.toBe(digest);
    expect(subjectDigest("key:a", { ...row, scopes: null })).toBe(digest);
    // The order of the columns does not matter.
    expect(subjectDigest("key:a", Object.fromEntries(Object.entries(row).reverse()))).toBe(digest);
  });

  test("at the start of a trail is part of the checkpoint: different lists have different texts", () => {
    const of = (...entries: [string, string][]) => checkpointText(emptyHead, new Map(entries));
    expect(of(["a", "1"], ["b", "2"])).toBe(of(["b", "2"], ["a", "1"]));
    const others = [of(["a", "1"]), of(["a", '1"],["b","2']), of(["a", "1\nb 2"]), of(["a", "1"], ["b", "3"]), of()];
    expect(new Set([of(["a", "1"], ["b", "2"]), ...others]).size).toBe(6);
    expect(of()).toMatch(new RegExp(`^${headText(emptyHead)} [0-9a-f]{64}$`));
  });
});

test("an event is shown in the order of the contract; count and detail only when they are set", () => {
  expect(JSON.stringify(auditBody(event))).toBe(
    '{"at":"2026-06-01T12:00:00+00:00","workspace_id":"0b5cf6a4-3f0e-4b86-9f7e-0d6f5a2f7c11","actor":"cli",' +
      '"action":"key.created","key_id":"3f2a8c1e-5d0b-4c7a-9a51-0f6f7b1f2a33","key_name":"splunk","request_id":null,' +
      '"indicator_hmac":null,"ip":"203.0.113.7","outcome":"201","correlation_id":"c-1"}',
  );
  expect(Object.entries(auditBody({ ...event, count: 3, detail: "team" })).slice(-2)).toEqual([
    ["count", 3],
    ["detail", "team"],
  ]);
});

describe("a head", () => {
  const head = chainEvent(auditKey, emptyHead, event);

  test("survives a round trip; outer blanks and capitals do not matter", () => {
    expect(parseHead(headText(head))).toEqual({ row: 1, mac: head.mac });
    expect(parseHead(` ${headText(head).toUpperCase()}\n`)).toEqual({ row: 1, mac: head.mac });
    expect(parseHead(headText(emptyHead))).toEqual(emptyHead);
  });

  test.each([
    "",
    "1",
    "1:",
    `:${"0".repeat(64)}`,
    `1:${"0".repeat(63)}`,
    `-1:${"0".repeat(64)}`,
    `1:${"g".repeat(64)}`,
  ])("%j is not a head", (text) => {
    expect(parseHead(text)).toBeNull();
  });
});
