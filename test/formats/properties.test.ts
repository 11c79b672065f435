import fc from "fast-check";
import { marked, type Token, type Tokens } from "marked";
import { describe, expect, test } from "vitest";
import { headline } from "../../src/domain/headline.ts";
import { type Tlp, tlps } from "../../src/domain/tlp.ts";
import { csv } from "../../src/formats/csv.ts";
import { ecs } from "../../src/formats/ecs.ts";
import { formatNames, formats } from "../../src/formats/format-table.ts";
import { markdown } from "../../src/formats/markdown.ts";
import { misp } from "../../src/formats/misp.ts";
import { ocsf } from "../../src/formats/ocsf.ts";
import { stix } from "../../src/formats/stix.ts";
import { uri } from "../../src/formats/uri.ts";
import type { CompletedCase } from "../../src/wire/case.ts";
import { anyCase } from "../helpers/export-case.ts";
import { readCsv } from "../helpers/read-csv.ts";
import { mispFault, ocsfFaults, stixFault } from "../helpers/schema-check.ts";

type Json = Readonly<Record<string, never>>;

const anyOptions = fc.record({ tlp: fc.constantFrom<Tlp>(...tlps), hasByteOrderMark: fc.boolean() });

function always(
  check: (exported: CompletedCase, options: { tlp: Tlp; hasByteOrderMark: boolean }) => void,
  runs = 200,
) {
  fc.assert(fc.property(anyCase(), anyOptions, check), { numRuns: runs });
}

/** Keys of every object within, in any depth. */
function keysIn(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => [...(Array.isArray(value) ? [] : [key]), ...keysIn(member)]);
}

/** The document without the text of sources: what is left are our own words. */
function ownWords(exported: CompletedCase): CompletedCase {
  const blank = exported.exposure.findings.map((atom, index) => ({
    ...atom,
    title: `title ${index}`,
    category: "breach",
    source_url: null,
  }));
  return { ...exported, exposure: { ...exported.exposure, findings: blank } };
}

describe("any case in any format", () => {
  test("18.3 the same case gives the same bytes, whatever objects it is made of", () => {
    always((exported, options) => {
      const copy = structuredClone(exported);
      for (const name of formatNames)
        expect(formats[name].write(copy, options)).toBe(formats[name].write(exported, options));
    }, 50);
  });

  test("18.2 no word and no field of a verdict is ours", () => {
    always((exported, options) => {
      for (const name of formatNames) {
        const text = formats[name].write(ownWords(exported), options);
        const words = text.replaceAll(exported.disambiguation.reason, "");
        expect(words).not.toMatch(
          /malicious|suspicious|\bsafe\b|verdict|reputation|risk|"to_ids":true|threat.?actor|score/i,
        );
      }
    }, 100);
  });

  test("18.2 every source that failed stands in every format", () => {
    always((exported, options) => {
      for (const name of formatNames) {
        const text = formats[name].write(exported, options);
        for (const { source, error } of exported.failed_sources) {
          expect(text).toContain(source);
          expect(text).toContain(error);
        }
      }
    }, 100);
  });

  test("the headline stands in every format that has a place for it", () => {
    always((exported, options) => {
      for (const name of formatNames) {
        if (name !== "csv") expect(formats[name].write(exported, options)).toContain(headline(exported));
      }
    }, 100);
  });
});

describe("STIX", () => {
  test("each object is valid by its schema of OASIS, and no id stands twice", () => {
    always((exported, options) => {
      const { objects, ...bundle } = JSON.parse(stix(exported, options));
      expect(Object.keys(bundle)).toEqual(["type", "id"]);
      expect(objects.map(stixFault).filter((fault: string | null) => fault !== null)).toEqual([]);
      const ids = objects.map(({ id }: Json) => id);
      expect(new Set(ids).size).toBe(ids.length);
      for (const reference of JSON.stringify(objects).matchAll(
        /"((?:email-addr|observed-data|identity|marking-definition|note)--[0-9a-f-]{36})"/g,
      )) {
        expect(ids).toContain(reference[1]);
      }
    });
  });

  test("only these types occur, and every time is one after the one before", () => {
    const types = ["marking-definition", "identity", "email-addr", "observed-data", "note"];
    always((exported, options) => {
      for (const object of JSON.parse(stix(exported, options)).objects) {
        expect(types).toContain(object.type);
        if (object.modified !== undefined) expect(object.modified >= object.created).toBe(true);
        if (object.type === "email-addr") expect(Object.keys(object)).not.toContain("display_name");
      }
    });
  });

  test("text comes back from STIX as it was", () => {
    always((exported, options) => {
      const { objects } = JSON.parse(stix(exported, options));
      const notes = objects.filter(
        ({ type, abstract }: Json) => type === "note" && abstract !== `xpose: ${headline(exported)}`,
      );
      const told = notes.map((note: Record<string, never>) => [
        note["abstract"],
        note["external_references"]?.[0]?.["url"] ?? null,
      ]);
      expect(told).toEqual(
        exported.exposure.findings.map(({ title, source_url: url }) => [title, url === null ? null : uri(url)]),
      );
    });
  });
});

describe("MISP", () => {
  test("the event is valid by the schema of PyMISP, and nothing in it detects or correlates", () => {
    always((exported, options) => {
      const event = JSON.parse(misp(exported, options));
      expect(mispFault(event)).toBeNull();
      const attributes: Record<string, unknown>[] = event.Event.Attribute;
      for (const attribute of attributes) expect(attribute).toMatchObject({ to_ids: false, disable_correlation: true });
      expect(new Set(attributes.map(({ uuid }) => uuid)).size).toBe(attributes.length);
      expect(event.Event.info).not.toContain(exported.indicator.value);
    });
  });

  test("text comes back from MISP as it was", () => {
    always((exported, options) => {
      const attributes: { type: string; value: string }[] = JSON.parse(misp(exported, options)).Event.Attribute;
      const { findings } = exported.exposure;
      expect(attributes.filter(({ type }) => type === "text").map(({ value }) => value)).toEqual(
        findings.map(({ title }) => title),
      );
      expect(attributes.filter(({ type }) => type === "link").map(({ value }) => value)).toEqual(
        findings.flatMap(({ source_url: url }) => url ?? []),
      );
    });
  });
});

describe("OCSF", () => {
  test("each event is valid by the schema of its class, and says nothing about badness", () => {
    always((exported, options) => {
      const events: Json[] = JSON.parse(ocsf(exported, options));
      expect(events.flatMap(ocsfFaults)).toEqual([]);
      expect(events).toHaveLength(Math.max(1, exported.exposure.total + exported.failed_sources.length));
      for (const event of events)
        expect(event).toMatchObject({ class_uid: 5021, category_uid: 5, type_uid: 502102, severity_id: 1 });
      const keys = keysIn(events);
      for (const key of ["risk_score", "risk_level", "reputation", "confidence", "confidence_score"])
        expect(keys).not.toContain(key);
      expect(
        [...JSON.stringify(events).matchAll(/"confidence_id":(\d+)/g)]
          .map((match) => match[1])
          .filter((id) => id !== "0"),
      ).toEqual([]);
      expect(new Set(events.map(({ metadata }) => metadata?.["uid"])).size).toBe(events.length);
    });
  });

  test("text comes back from OCSF as it was", () => {
    always((exported, options) => {
      const events: { status_id: number; osint: { comment: string; src_url?: string }[] }[] = JSON.parse(
        ocsf(exported, options),
      );
      const told = events
        .filter(({ osint: [first] }) => first?.comment !== undefined)
        .map(({ osint: [first] }) => first);
      expect(told.map((one) => [one?.comment, one?.src_url ?? null])).toEqual(
        exported.exposure.findings.map(({ title, source_url }) => [title, source_url]),
      );
    });
  });
});

describe("ECS", () => {
  test("each line is one JSON object without an indicator", () => {
    always((exported, options) => {
      const text = ecs(exported, options);
      expect(text.endsWith("\n")).toBe(true);
      const lines = text
        .slice(0, -1)
        .split("\n")
        .map((line) => JSON.parse(line));
      expect(lines).toHaveLength(Math.max(1, exported.exposure.total + exported.failed_sources.length));
      const ids = lines.map(({ event }) => event.id);
      expect(new Set(ids).size).toBe(lines.length);
      for (const line of lines) {
        expect(Object.keys(line)).not.toContain("threat");
        expect(line.event).toMatchObject({ kind: "enrichment", dataset: "xpose.exposure" });
        expect(line["@timestamp"]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/);
        expect(line.user).toEqual({ email: exported.indicator.value });
      }
      expect(
        lines.flatMap(({ xpose }) => xpose.finding ?? []).map(({ title, source_url }) => [title, source_url]),
      ).toEqual(exported.exposure.findings.map(({ title, source_url }) => [title, source_url]));
    });
  });
});

describe("CSV", () => {
  test("18.4 no cell is a formula, and text comes back as it was but for the guard", () => {
    always((exported, options) => {
      const text = csv(exported, options);
      expect(text.startsWith("\ufeff")).toBe(options.hasByteOrderMark);
      const [header = [], ...rows] = readCsv(text.replace(/^\ufeff/, ""));
      expect(rows).toHaveLength(Math.max(1, exported.exposure.total));
      for (const cells of rows) {
        expect(cells).toHaveLength(header.length);
        for (const cell of cells) expect(cell).not.toMatch(/^[=+\-@\t\r]/);
      }
      const column = (name: string) => rows.map((cells) => cells[header.indexOf(name)]);
      const guarded = (value: string) => (/^[=+\-@\t\r]/.test(value) ? `'${value}` : value);
      const { findings } = exported.exposure;
      if (findings.length > 0) expect(column("title")).toEqual(findings.map(({ title }) => guarded(title)));
      if (findings.length > 0) expect(column("source_url")).toEqual(findings.map(({ source_url: url }) => url ?? ""));
      const failed = exported.failed_sources.map(({ source, error }) => `${source}:${error}`).join(" ");
      expect(new Set(column("failed_sources"))).toEqual(new Set([failed]));
      expect(new Set(column("partial"))).toEqual(new Set([String(failed !== "")]));
    });
  });
});

describe("Markdown", () => {
  /** The blocks of the page as a reader of GitHub Flavored Markdown sees them. */
  const blocksOf = (text: string) => marked.lexer(text).filter(({ type }) => type !== "space");

  /** The text of inline tokens as it is shown, and the kinds of the tokens. */
  const shown = (tokens: readonly Token[]): string =>
    tokens
      .map((token) => ("tokens" in token && token.tokens !== undefined ? shown(token.tokens) : textOf(token)))
      .join("");
  const textOf = (token: Token) => decoded("text" in token ? String(token.text) : "");
  const decoded = (text: string) =>
    text.replaceAll(/&(?:#(\d+)|amp|lt|gt|quot);/g, (entity, code?: string) =>
      code === undefined
        ? ({ "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"' }[entity] ?? entity)
        : String.fromCodePoint(Number(code)),
    );
  const kinds = (tokens: readonly Token[]): string[] =>
    tokens.flatMap((token) => [
      token.type,
      ...("tokens" in token && token.tokens !== undefined ? kinds(token.tokens) : []),
    ]);

  test("text of sources is never markup: one cell each, no link, no HTML, shown as it was", () => {
    always((exported, options) => {
      const { findings } = exported.exposure;
      const tables = blocksOf(markdown(exported, options)).filter(({ type }) => type === "table") as Tokens.Table[];
      expect(tables).toHaveLength(findings.length === 0 ? 0 : 1);
      const rows = tables[0]?.rows ?? [];
      expect(rows).toHaveLength(findings.length);
      const title = tables[0]?.header.findIndex(({ text }) => text === "finding") ?? -1;
      for (const [index, cells] of rows.entries()) {
        const cell = cells[title];
        const said = findings[index]?.title ?? "";
        expect(kinds(cell?.tokens ?? []).filter((kind) => !["text", "escape"].includes(kind))).toEqual([]);
        expect(shown(cell?.tokens ?? []).trim()).toBe(said.trim());
        const url = findings[index]?.source_url ?? null;
        const links = cells.at(-1)?.tokens.filter(({ type }) => type === "link") as Tokens.Link[];
        expect(links.map(({ href }) => href.startsWith("http"))).toEqual(url === null ? [] : [true]);
      }
    });
  });

  test("the page has the same blocks whatever the text is", () => {
    always((exported, options) => {
      const blocks = blocksOf(markdown(exported, options)).map(({ type }) => type);
      const table = exported.exposure.total === 0 ? [] : ["table"];
      expect(blocks).toEqual(["paragraph", "list", ...table, "paragraph", "paragraph"]);
    });
  });
});
