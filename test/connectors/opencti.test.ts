import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeConnector, type Job, type Seen } from "./connector-suite.ts";
import { type FakeService, goodKey, startFakeService } from "./fake-service.ts";
import { folderOf, missingPython, runDriver, systemAuthorities } from "./run-driver.ts";

type Message = Job & { readonly type?: string; readonly playbook?: boolean; readonly maxTlp?: string };
type StixObject = { readonly type: string; readonly id: string; readonly [member: string]: unknown };
type Result = Seen & { readonly sent: readonly { readonly objects: readonly StixObject[] }[] };

const missing = missingPython();

const stub = fileURLToPath(new URL("stubs/opencti", import.meta.url));
const run = (jobs: readonly Message[]) =>
  runDriver<Result[]>("opencti.py", { folder: folderOf("opencti"), jobs }, { PYCTI: stub, ...systemAuthorities(jobs) });

describeConnector({ name: "opencti", missing, lookUp: run });

describe.skipIf(missing !== null)("OpenCTI's own conventions", () => {
  let service: FakeService;
  beforeAll(() => {
    service = startFakeService();
  });
  afterAll(() => service.stop());

  const job = (email: string, more: Partial<Message> = {}): Message => ({
    email,
    url: service.url,
    key: goodKey,
    ...more,
  });

  test("one bundle: the objects as they came, the identity, and one note that the next enrichment updates", async () => {
    const [first, second] = await run([job("ready@example.com", { tlp: "green" }), job("ready@example.com")]);
    const objects = first?.sent[0]?.objects ?? [];
    expect(first?.sent.length).toBe(1);
    expect(objects.map(({ type }) => type)).toEqual(["email-addr", "identity", "identity", "note"]);
    const note = objects[3];
    expect(note).toMatchObject({
      spec_version: "2.1",
      created: "2026-11-20T08:30:00.000Z",
      modified: "2026-11-27T10:00:04.000Z",
      abstract: "xpose: exposure of ready@example.com",
      authors: ["hibp", "misp"],
      labels: ["account", "breach", "infostealer", "xpose"],
      external_references: [{ source_name: "hibp", url: "https://shop.example.com/security-notice" }],
      object_refs: [objects[0]?.id],
      object_marking_refs: ["marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"],
      created_by_ref: objects[2]?.id,
    });
    expect(String(note?.["content"])).toMatch(/^\*\*3 findings \(2 high, 1 low\); 5 of 5 sources answered\*\*\n/);
    expect(second?.sent[0]?.objects[3]?.id).toBe(note?.id);
  });

  test("a partial result is labelled, and nothing found is a note too", async () => {
    const [partial, nothing] = await run([job("partial@example.com"), job("nothing@example.com")]);
    expect(partial?.sent[0]?.objects[3]?.["labels"]).toEqual(["breach", "xpose", "xpose-partial"]);
    expect(String(nothing?.sent[0]?.objects[3]?.["content"])).toMatch(/^\*\*No finding; 5 of 5 sources answered\*\*/);
  });

  test("the README shows the note as it is", async () => {
    const [result] = await run([job("jane.doe@example.com")]);
    const text = readFileSync(`${folderOf("opencti")}README.md`, "utf8");
    expect(text).toContain(result?.sent[0]?.objects[3]?.["content"]);
  });

  test("above XPOSE_MAX_TLP nothing is asked", async () => {
    const [result] = await run([job("secret@example.com", { tlp: "red", maxTlp: "amber" })]);
    expect(result).toMatchObject({ isError: true, said: "xpose: TLP:RED is above XPOSE_MAX_TLP; nothing was asked" });
    expect(service.callsFor("secret@example.com")).toEqual([]);
  });

  test("another type: an error outside a playbook, the bundle unchanged inside it", async () => {
    const [outside, inside] = await run([
      job("x.example", { type: "domain-name" }),
      job("x.example", { type: "domain-name", playbook: true }),
    ]);
    expect(outside).toMatchObject({ isError: true, said: "xpose looks up Email-Addr, not domain-name" });
    expect(inside?.sent[0]?.objects.map(({ type }) => type)).toEqual(["domain-name", "identity"]);
  });

  test("markup in a title counts nowhere in the note, and nothing is an indicator", async () => {
    const [result] = await run([job("hostile@example.com")]);
    const content = String(result?.sent[0]?.objects[3]?.["content"]);
    expect(content).not.toMatch(/(?<!\\)<img|(?<!\\)\[link\]|(?<!\\)\*\*bold|(?<!\\)`code/);
    expect(content.split("\n").filter((line) => line.startsWith("| medium")).length).toBe(1);
    expect(result?.output).not.toMatch(/"type": "(?:indicator|relationship|user-account|marking-definition)"/);
  });
});

/** Checkouts of OpenCTI-Platform/client-python and oasis-open/cti-python-stix2. */
const pycti = process.env["PYCTI_CHECKOUT"];
const stix2 = process.env["STIX2_CHECKOUT"];
const whyNoPeer =
  pycti === undefined || stix2 === undefined || !existsSync(`${pycti}/pycti`)
    ? "PYCTI_CHECKOUT and STIX2_CHECKOUT name no checkouts"
    : missingPython("requests", "yaml", "simplejson", "pytz", "antlr4", "dateutil");
if (whyNoPeer !== null) console.warn(`the real pycti: skipped, ${whyNoPeer}`);

describe.skipIf(whyNoPeer !== null)("the real pycti", () => {
  test("its queue, bundle, splitter and strict stix2 take what the connector gives, and an error is the work's error", async () => {
    const service = startFakeService();
    const id = "email-addr--5e548dc7-d8aa-5feb-a893-166d3e9b6cd3";
    const jobs = ["ready", "nothing", "failed"].map((name) => ({
      email: `${name}@example.com`,
      url: service.url,
      key: goodKey,
      id,
    }));
    const seen = await runDriver<{ ids: string[]; taken: string[]; parts: number[]; reports: object[] }[]>(
      "opencti-peer.py",
      { folder: folderOf("opencti"), pycti, stix2, jobs },
    );
    await service.stop();
    for (const { taken, parts } of seen.slice(0, 2)) {
      expect([taken, parts]).toEqual([["email-addr", "identity", "note"], [3]]);
    }
    expect(seen.map(({ reports }) => reports)).toEqual([
      [{ message: "3 findings (2 high, 1 low); 5 of 5 sources answered", isError: false }],
      [{ message: "No finding; 5 of 5 sources answered", isError: false }],
      [{ message: "xpose: no source answered: hibp (auth), misp (timeout)", isError: true }],
    ]);
    expect(seen[2]?.ids).toEqual([]);
  });
});
