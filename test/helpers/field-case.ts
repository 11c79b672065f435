import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Appliance, CommandResult } from "./appliance.ts";

/** A realistic file or folder, and the expected result of its import. */
export type FieldCase = {
  /** Below test/fixtures/field-cases. */
  readonly folder: string;
  readonly group: string;
  readonly target: string;
  /** How the target is passed to the command; absent: as a path. */
  readonly via?: "stdin" | "devstdin" | "procsub" | "two" | "cwd";
  readonly corpusName?: string;
  readonly options?: readonly string[];
  /** `either`: both are right, but an import must find all of `found`, and a refusal must match `says`. */
  readonly outcome: "import" | "refuse" | "either";
  readonly says?: string;
  readonly read?: number;
  readonly imported?: number;
  readonly skipped?: Readonly<Record<string, number>>;
  /** A count in the report that may account for addresses that are not found. */
  readonly soft?: "further_addresses";
  readonly found?: readonly Expected[];
  readonly absent?: readonly string[];
  /** Text that must not appear in the data directory, in answers or in messages. */
  readonly secrets?: readonly string[];
  readonly names?: readonly string[];
};

type Expected = {
  readonly email: string;
  readonly category?: string;
  readonly not?: string;
  readonly sites?: readonly string[];
  readonly titles?: readonly string[];
  readonly count?: number;
};

type Report = {
  readonly read: number;
  readonly imported: number;
  readonly skipped: Readonly<Record<string, number>>;
  readonly further_addresses: number;
};
type Finding = { readonly category: string; readonly title: string };

const root = join(import.meta.dirname, "..", "fixtures", "field-cases");

export const fieldCases = JSON.parse(readFileSync(join(root, "cases.json"), "utf8")) as FieldCase[];

/** Imports the case into a new data directory and returns the problems in words; empty = no problem. */
export async function faultsOf(one: FieldCase, appliance: Appliance): Promise<string[]> {
  appliance.json("init");
  const { exitCode, stdout, stderr } = await runImport(one, appliance);
  const secrets = [...(one.secrets ?? []), ...(one.names ?? [])];
  if (exitCode !== 0) return refusalFaults(one, exitCode, stderr || stdout);
  const report = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Report;
  return [
    ...(one.outcome === "refuse" ? [`accepted: ${JSON.stringify(report)}`] : []),
    ...countFaults(one, report),
    ...(await findingFaults(one, report, secrets, appliance)),
    // Checked before further look-ups, because the database holds each address that was asked about.
    ...leaksOf(one, secrets, appliance.dataDir),
    ...(await wronglyFound(one, appliance)),
  ];
}

function runImport({ via, target, corpusName = "c", options = [], folder }: FieldCase, appliance: Appliance) {
  const base = join(root, folder);
  const path = join(base, target);
  const words = (file: string) => ["corpus", "import", file, "--name", corpusName, "--json", ...options];
  const shell = (script: string, args: readonly string[]) =>
    appliance.runBeside(args, { shell: script, env: { FILE: path, FOLDER: base, DATA: appliance.dataDir } });
  switch (via) {
    case "stdin":
      return appliance.runBeside(words("-"), { stdin: Bun.file(path) });
    case "devstdin":
      return shell('exec "$0" "$@" < "$FILE"', words("/dev/stdin"));
    case "procsub":
      return shell('"$0" corpus import <(zcat "$FILE") --name c --json --data-dir "$DATA"', []);
    case "two":
      return shell('"$0" corpus import "$FOLDER"/*.txt --name c --json --data-dir "$DATA"', []);
    case "cwd":
      return appliance.runBeside(words(target), { cwd: base });
    default:
      return appliance.runBeside(words(path));
  }
}

function refusalFaults(one: FieldCase, exitCode: CommandResult["exitCode"], output: string): string[] {
  const lines = output.split("\n").filter((line) => line.trim() !== "" && !line.startsWith('{"bytes_read'));
  const message = lines.join(" ").trim();
  const isUsage = one.via === "two" || one.via === "cwd" || one.corpusName !== undefined;
  return [
    ...(exitCode !== 1 && !isUsage ? [`exit ${exitCode}`] : []),
    ...(one.outcome === "import" ? [`refused: ${message}`] : []),
    ...(one.says !== undefined && !new RegExp(one.says, "i").test(message)
      ? [`does not say /${one.says}/: ${message}`]
      : []),
    ...(one.secrets ?? []).filter((secret) => message.includes(secret)).map((secret) => `the message quotes ${secret}`),
  ];
}

function countFaults(one: FieldCase, report: Report): string[] {
  const skipped = Object.values(report.skipped).reduce((sum, count) => sum + count, 0);
  const wanted = Object.entries(one.skipped ?? {}).filter(([reason, count]) => report.skipped[reason] !== count);
  return [
    ...(report.read !== report.imported + skipped
      ? [`read ${report.read} is not ${report.imported} + ${skipped}`]
      : []),
    ...(one.imported !== undefined && report.imported !== one.imported
      ? [`imported ${report.imported}, not ${one.imported}`]
      : []),
    ...(one.read !== undefined && report.read !== one.read ? [`read ${report.read}, not ${one.read}`] : []),
    ...wanted.map(([reason, count]) => `skipped ${reason}: ${report.skipped[reason]}, not ${count}`),
  ];
}

async function findingFaults(
  one: FieldCase,
  report: Report,
  secrets: readonly string[],
  appliance: Appliance,
): Promise<string[]> {
  const faults: string[] = [];
  const isExcused = one.soft !== undefined && report[one.soft] > 0;
  for (const expected of one.found ?? []) {
    const findings = await findingsOf(expected.email, appliance);
    if (findings.length === 0 && !isExcused) faults.push(`not found: ${expected.email}`);
    if (findings.length > 0) faults.push(...wrongFindings(expected, findings, one.corpusName ?? "c"));
    const shown = JSON.stringify(findings);
    faults.push(...secrets.filter((secret) => shown.includes(secret)).map((secret) => `shows ${secret}`));
  }
  return faults;
}

async function wronglyFound(one: FieldCase, appliance: Appliance): Promise<string[]> {
  const faults: string[] = [];
  for (const email of one.absent ?? []) {
    if ((await findingsOf(email, appliance)).length > 0) faults.push(`wrongly found: ${email}`);
  }
  return faults;
}

async function findingsOf(email: string, appliance: Appliance): Promise<Finding[]> {
  const { exitCode, stdout } = await appliance.runBeside(["enrich", email, "--json"]);
  // Not an address, so nothing can be found.
  if (exitCode === 4) return [];
  return (JSON.parse(stdout) as { exposure: { findings: Finding[] } }).exposure.findings;
}

function wrongFindings(expected: Expected, findings: readonly Finding[], corpus: string): string[] {
  const { email, category, not, sites, count } = expected;
  const titles = findings.map(({ title }) => title).sort();
  const wanted = expected.titles ?? sites?.map((site) => `Credentials for ${site} in ${corpus}`).sort();
  const categories = [...new Set(findings.map((finding) => finding.category))].join(", ");
  return [
    ...(category !== undefined && categories !== category ? [`${email}: ${categories}, not ${category}`] : []),
    ...(not !== undefined && categories.includes(not) ? [`${email}: ${categories}`] : []),
    ...(wanted !== undefined && titles.join() !== wanted.join()
      ? [`${email}: ${titles.join()}, not ${wanted.join()}`]
      : []),
    ...(count !== undefined && findings.length !== count
      ? [`${email}: ${findings.length} findings, not ${count}`]
      : []),
  ];
}

/** Six given bytes stand somewhere in 64 MiB of random bytes once in four million files. */
const shortestInRandom = 6;

/**
 * Secrets and addresses of a case that are in the data directory in clear text. Skips the addresses that were asked
 * about, which the database holds. The reserve is 64 MiB of random bytes, in which a text of a few bytes may stand by chance:
 * only longer texts are looked for there.
 */
function leaksOf(one: FieldCase, secrets: readonly string[], dataDir: string): string[] {
  const files = readdirSync(dataDir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.flatMap(({ name, parentPath }) => {
    const bytes = readFileSync(join(parentPath, name));
    const addresses = name.startsWith("xpose.db") ? [] : (one.found ?? []).map(({ email }) => email);
    const texts = [...secrets, ...secrets.map((secret) => secret.toLowerCase()), ...addresses];
    const minLength = name === "reserve" ? shortestInRandom : 0;
    return [...new Set(texts)]
      .filter((text) => text.length >= minLength && isWrittenIn(bytes, text))
      .map((text) => `${text} is in ${name}`);
  });
}

/** True for a text among other text. Three letters alone can occur by chance in the random bytes of keys. */
function isWrittenIn(bytes: Buffer, text: string): boolean {
  const wanted = Buffer.from(text);
  for (let at = bytes.indexOf(wanted); at >= 0; at = bytes.indexOf(wanted, at + 1)) {
    let [start, end] = [at, at + wanted.length];
    while (isPrintable(bytes[start - 1])) start--;
    while (isPrintable(bytes[end])) end++;
    if (end - start >= 8) return true;
  }
  return false;
}

function isPrintable(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x20 && byte < 0x7f;
}
