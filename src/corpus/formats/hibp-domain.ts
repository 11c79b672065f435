import * as z from "zod/mini";
import { canonicalDomain } from "../../domain/email.ts";
import { leakTitle, parseLeakYear } from "../../domain/finding.ts";
import { CorpusError } from "../error.ts";
import type { RawFields } from "../record.ts";
import { columnName, type RowCells, separatorOf } from "./csv.ts";
import { cellsOf } from "./csv-rows.ts";
import { commonDefaults, type Format, type Plan, type ReadRecord, recordOf } from "./format.ts";
import { type JsonPiece, parseJson } from "./json-arrays.ts";
import { jsonOrCsv } from "./json-or-csv.ts";
import type { Sample } from "./sample.ts";

/**
 * What HIBP says about the addresses of a domain: answers of `/breacheddomain` and `/stealerlogsbyemaildomain`, the
 * JSON of its dashboard, or a CSV saved from it (local-corpus-formats.md, 1). A record is one address in one leak.
 */
export const hibpDomain: Format<DomainPlan> = {
  name: "hibp-domain",
  confidence: 0.95,
  origin: "hibp",
  defaultsFor: (corpus) => ({
    ...commonDefaults(corpus),
    subjectTitle: { before: "Present in the ", after: " breach" },
  }),
  recognises: (sample) => (isHibpDomain(sample) ? planOf(sample) : null),
  plan: planOf,
  cut: null,
  open: ({ domain }, sink) =>
    jsonOrCsv(
      sink,
      (piece) => readPiece(piece, domain),
      (cell) => readRow(cell, domain),
      ["email", "alias"],
    ),
};

type DomainPlan = Plan & { readonly domain: string | null };

function planOf({ fileName }: Sample): DomainPlan {
  const domain = canonicalDomain(fileName?.replace(/\.(?:json|csv)$/i, "") ?? "");
  return { format: "hibp-domain", columns: [], domain };
}

function isHibpDomain({ text, lines }: Sample): boolean {
  if (text.trimStart().startsWith("{")) return /^\s*\{\s*"[^"]*"\s*:\s*\[/.test(text);
  const names = cellsOf(lines[0] ?? "", separatorOf(lines[0] ?? "", ["email", "alias"])).map(columnName);
  return names.includes("alias") && names.includes("breach");
}

function readPiece({ key, text, isElement }: JsonPiece, fileDomain: string | null): ReadRecord[] {
  if (text === null) return ["too_long"];
  const value = parseJson(text);
  if (!isElement || value === undefined) return ["malformed"];
  if (key === "BreachSearchResults" || key === "PasteSearchResults") return readResult(value, fileDomain);
  return [typeof value === "string" ? recordOf(addressIn(key, fileDomain), leakFields(value)) : "malformed"];
}

const text = z.nullish(z.string());
const resultSchema = z.object({
  Alias: z.string(),
  DomainName: text,
  Breaches: z.nullish(
    z.array(
      z.object({ Name: z.string(), Title: text, Domain: text, BreachDate: text, IsSpamList: z.nullish(z.boolean()) }),
    ),
  ),
  Pastes: z.nullish(z.array(z.object({ Source: z.string(), Id: text, Date: text }))),
});

function readResult(value: unknown, fileDomain: string | null): ReadRecord[] {
  const parsed = resultSchema.safeParse(value);
  if (!parsed.success) return ["malformed"];
  const { Alias: alias, DomainName: domain, Breaches: breaches, Pastes: pastes } = parsed.data;
  const address = addressIn(alias, domain ?? fileDomain);
  const leaks: RawFields[] = [
    ...(breaches ?? []).map((breach) => ({
      ...leakFields(breach.Name),
      title: leakTitle(breach.Title || breach.Name, parseLeakYear(breach.BreachDate ?? "")),
      subject: breach.Domain || breach.Name,
      date: breach.BreachDate,
      ...(breach.IsSpamList === true ? { category: "spam_list", severity: "low" } : {}),
    })),
    ...(pastes ?? []).map((paste) => ({
      category: "paste",
      title: `Present in a paste on ${paste.Source}`,
      subject: `paste ${paste.Source} ${paste.Id ?? ""}`,
      date: paste.Date?.slice(0, 10),
    })),
  ];
  return leaks.map((fields) => recordOf(address, fields));
}

function readRow(cell: RowCells, fileDomain: string | null): ReadRecord[] {
  const alias = cell("email") || cell("alias") || "";
  if (alias === "") return ["no_email"];
  const leak = cell("breach") ?? "";
  const address = addressIn(alias, cell("domain") || cell("domainname") || fileDomain);
  return [leak === "" ? "malformed" : recordOf(address, leakFields(leak))];
}

/** A leak by its name in HIBP's catalogue; names of sites, which stealer logs come with, have a dot and those never. */
function leakFields(name: string): RawFields {
  if (name.includes(".")) {
    return { category: "infostealer", severity: "high", title: `In infostealer logs for ${name}`, subject: name };
  }
  const url = /^[A-Za-z0-9]+$/.test(name) ? `https://haveibeenpwned.com/Breach/${name}` : null;
  return { subject: name, source_url: url };
}

function addressIn(alias: string, domain: string | null): string {
  if (alias.includes("@")) return alias;
  if (domain === null) {
    throw new CorpusError(
      "refused",
      "the file holds local parts only; name it after their domain, such as example.com.json",
    );
  }
  return `${alias}@${domain}`;
}
