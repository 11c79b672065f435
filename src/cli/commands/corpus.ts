import { Command, Option } from "commander";
import { getWorkspace } from "../../access/workspace.ts";
import type { Config } from "../../config/config.ts";
import { forgetIndicator } from "../../corpus/forget.ts";
import { type FormatName, formatNames, type OptionalField, optionalFields } from "../../corpus/formats/format.ts";
import { type ImportReport, importCorpus } from "../../corpus/import/import.ts";
import { importRules } from "../../corpus/import/publish-import.ts";
import { liveSegments, mergeCorpora } from "../../corpus/merge-corpora.ts";
import { sweepCorpora } from "../../corpus/remove-orphans.ts";
import { takeSharedLock } from "../../corpus/shared-lock.ts";
import { verifyCorpora } from "../../corpus/verify.ts";
import { lowerPriority } from "../../corpus/worker/lower-priority.ts";
import { mergeInWorker, openWorkerLane } from "../../corpus/worker/worker-lane.ts";
import type { OpenStore } from "../../data-directory/data-directory.ts";
import type { Corpus, CorpusImport } from "../../domain/corpus.ts";
import { parseEmail } from "../../domain/email.ts";
import { severities } from "../../domain/finding.ts";
import { timestamp } from "../../domain/time.ts";
import { entropy } from "../../entropy.ts";
import { readLeakNames } from "../../service/breach-catalogue.ts";
import type {
  CorpusCheck,
  CorpusListing,
  CorpusStats,
  DryRun,
  DryRunReport,
  Forgotten,
  ImportReportBody,
  ListedCorpus,
  ListedImport,
  OutdatedImport,
  RemovedCorpus,
  SegmentCheckBody,
  SegmentStats,
} from "../../wire/corpus.ts";
import { abortOnSignal, commandAuthor, type GlobalOptions, readConfig, withStore } from "../context.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { importText } from "../import-text.ts";
import { type Output, printResult, table } from "../output.ts";
import { drawProgress } from "../progress.ts";
import { standardInput } from "../standard-input.ts";

type ImportOptions = GlobalOptions & {
  name: string;
  format?: FormatName;
  title?: string;
  category?: string;
  severity?: (typeof severities)[number];
  subject?: string;
  date?: string;
  confidence?: string;
  origin?: string;
  scope?: string;
  column?: string;
  fields?: OptionalField[];
  dryRun?: boolean;
};

export function corpusCommand(output: Output): Command {
  const corpus = new Command("corpus").description("breach files, imported once and looked up without a network");

  corpus
    .command("import")
    .description("Imports a breach file, all or nothing: look-ups see the old state until the import is complete.")
    .argument("<file>", "a plain or compressed file, an archive, a workbook or a folder; - reads the standard input")
    .configureOutput({ outputError: (text, write) => write(withWayIn(text)) })
    .requiredOption("--name <name>", "name of the corpus, which its findings show as their source")
    .addOption(new Option("--format <format>", "default: detected from name and content").choices(formatNames))
    .option("--title <text>", "title for records without a title")
    .option("--category <category>", "category for records without a category")
    .addOption(new Option("--severity <severity>", "severity for records without a severity").choices(severities))
    .option("--subject <domain>", "the affected service or leak, for records that do not name it")
    .option("--date <date>", "date of the leak, YYYY, YYYY-MM or YYYY-MM-DD, for records without a date")
    .option("--confidence <number>", "reliability of this corpus, 0 to 1")
    .option("--origin <name>", "the dataset it comes from: sources of one origin do not corroborate each other")
    .option("--scope <workspace>", "the only workspace that sees it; default: all")
    .option("--column <name>", "the column that holds the address: its name, or its number from 1 on")
    .option(
      "--fields <names>",
      `fields to take from a file that is not in an evidence format: ${optionalFields.join(", ")}`,
      parseFieldNames,
    )
    .option("--dry-run", "reads the file, reports how it would be imported, and stores nothing")
    .addHelpText(
      "after",
      "\nExample:\n  xpose corpus import breach.csv --name example-shop --subject shop.example.com --date 2021",
    )
    .action(async (file: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<ImportOptions>();
      const config = readConfig(command, output);
      lowerPriority();
      await withStore(config, async (open) => {
        await sweepCorpora(open);
        await importFile(file, options, config, open, output);
      });
    });

  corpus
    .command("list")
    .description("Lists the corpora.")
    .addHelpText("after", "\nExample:\n  xpose corpus list --json")
    .action(async (_options: object, command: Command) => {
      await withStore(readConfig(command, output), async ({ store }) => {
        const bodies = (await store.listCorpora()).map(corpusBody);
        const rows = bodies.map((body) => [
          body.name,
          body.scope ?? "all workspaces",
          body.confidence,
          body.origin,
          body.imports.length,
          body.records,
        ]);
        const files = bodies.flatMap(({ name, imports }) =>
          imports.map((one) => [name, one.file, one.format, one.records, one.imported_at, one.importer, one.sha256]),
        );
        const text = table(["NAME", "SCOPE", "CONFIDENCE", "ORIGIN", "FILES", "RECORDS"], rows);
        const provenance = table(["NAME", "FILE", "FORMAT", "RECORDS", "IMPORTED", "BY", "SHA-256"], files);
        printResult<CorpusListing>(
          output,
          command.optsWithGlobals<GlobalOptions>().json ?? false,
          bodies,
          files.length === 0 ? text : `${text}\n\n${provenance}`,
        );
      });
    });

  corpus
    .command("stats")
    .description("Shows the amount of stored data, segment by segment.")
    .addHelpText("after", "\nExample:\n  xpose corpus stats --json")
    .action(async (_options: object, command: Command) => {
      await withStore(readConfig(command, output), async ({ store }) => {
        const corpora = await store.listCorpora();
        const segments = (await liveSegments(store)).map(
          (segment): SegmentStats => ({
            file: segment.file,
            corpora: corpora.flatMap(({ name, segments: own }) =>
              own.some(({ file }) => file === segment.file) ? [name] : [],
            ),
            addresses: segment.addressCount,
            records: segment.recordCount,
            templates: segment.templateCount,
            bytes: segment.sizeBytes,
          }),
        );
        const sum = (of: (segment: SegmentStats) => number) =>
          segments.reduce((total, segment) => total + of(segment), 0);
        const body: CorpusStats = {
          addresses: sum(({ addresses }) => addresses),
          records: sum(({ records }) => records),
          templates: sum(({ templates }) => templates),
          bytes: sum(({ bytes }) => bytes),
          forgotten: (await store.listForgotten()).length,
          segments,
        };
        const rows = [
          ...segments.map((one) => [
            one.file,
            one.addresses,
            one.records,
            one.templates,
            one.bytes,
            one.corpora.join(", "),
          ]),
          ["all", body.addresses, body.records, body.templates, body.bytes, ""],
        ];
        const text = table(["SEGMENT", "ADDRESSES", "RECORDS", "TEMPLATES", "BYTES", "CORPORA"], rows);
        const { json = false } = command.optsWithGlobals<GlobalOptions>();
        printResult<CorpusStats>(output, json, body, `${text}\n\nForgotten addresses: ${body.forgotten}`);
      });
    });

  corpus
    .command("forget")
    .description(
      "Erases an address: removes it from all corpora and from the results of scans, and blocks it in later imports.",
    )
    .argument("<email>", "the address")
    .addHelpText("after", "\nExample:\n  xpose corpus forget jane.doe@example.com")
    .action(async (email: string, _options: object, command: Command) => {
      await withStore(readConfig(command, output), async ({ store, keys }) => {
        const value = parseEmail(email);
        if (value === null) throw new CommandError(exitCodes.refused, "the email address is not valid");
        await forgetIndicator({ type: "email", value }, { store, keys, by: commandAuthor() });
        const { json = false } = command.optsWithGlobals<GlobalOptions>();
        printResult<Forgotten>(output, json, { forgotten: true }, "Forgotten.");
      });
    });

  corpus
    .command("remove")
    .description("Removes a corpus. Look-ups no longer use it once the command returns.")
    .argument("<name>", "name of the corpus")
    .addHelpText("after", "\nExample:\n  xpose corpus remove example-shop")
    .action(async (name: string, _options: object, command: Command) => {
      await withStore(readConfig(command, output), async (open) => {
        if (!(await open.store.removeCorpus(name, entropy.newId(), commandAuthor()))) {
          throw new CommandError(exitCodes.notFound, "there is no corpus with this name");
        }
        await sweepCorpora(open);
        const { json = false } = command.optsWithGlobals<GlobalOptions>();
        printResult<RemovedCorpus>(output, json, { name, removed: true }, `Removed the corpus ${name}.`);
      });
    });

  corpus
    .command("verify")
    .description("Reads every segment in full and checks that it is undamaged.")
    .addHelpText("after", "\nExample:\n  xpose corpus verify")
    .action(async (_options: object, command: Command) => {
      await withStore(readConfig(command, output), async ({ store, keys, corporaDir }) => {
        const corpora = await store.listCorpora();
        const progress = drawProgress(output);
        const checks = await verifyCorpora(corpora, corporaDir, keys, progress.count);
        progress.end();
        const ok = checks.every(({ fault }) => fault === null);
        const bodies = checks.map(
          ({ file, corpora: names, recordCount, fault }): SegmentCheckBody => ({
            file,
            corpora: names,
            records: recordCount,
            ok: fault === null,
            fault,
          }),
        );
        const rows = bodies.map(({ file, corpora: names, records, fault }) => [
          file,
          names.join(", "),
          records,
          fault ?? "ok",
        ]);
        const { json = false } = command.optsWithGlobals<GlobalOptions>();
        const outdated = corpora.flatMap(outdatedImports);
        const text = [table(["SEGMENT", "CORPORA", "RECORDS", "STATE"], rows), ...outdatedText(outdated)].join("\n");
        printResult<CorpusCheck>(output, json, { ok, segments: bodies, outdated }, text);
        if (!ok) throw new CommandError(exitCodes.failed, "a corpus is damaged; remove it and import its files again");
      });
    });

  return corpus;
}

/** Adds a remedy to a usage error. Never repeats the names of files, because they may hold addresses. */
function withWayIn(text: string): string {
  if (text.includes("unknown option")) {
    return `${text.trimEnd()}; a file whose name begins with - is given as ./-NAME, or behind --\n`;
  }
  if (!text.includes("too many arguments")) return text;
  return "error: one file or folder is imported at a time; to import several files, give the folder that holds them\n";
}

async function importFile(
  file: string,
  options: ImportOptions,
  config: Config,
  open: OpenStore,
  output: Output,
): Promise<void> {
  const { store, keys, corporaDir, lockCorpora } = open;
  const signal = abortOnSignal();
  const lock = await takeSharedLock(lockCorpora, signal);
  const progress = drawProgress(output);
  try {
    const scope = options.scope === undefined ? null : (await getWorkspace(options.scope, store)).id;
    const takenNames = new Set(config.sources.filter((source) => source.isEnabled).map((source) => source.name));
    const source = file === "-" ? { stdin: standardInput() } : { path: file };
    const { name, format, title, category, severity, subject, date, origin, dryRun: isDryRun = false } = options;
    const { names: leakNames, error: catalogueError } = readLeakNames(config);
    if (catalogueError !== null) output.err(`warning: the breach catalogue cannot be used: ${catalogueError}\n`);
    const wishes = { column: options.column ?? null, fields: options.fields ?? [], leakNames };
    const confidence = options.confidence === undefined ? undefined : parseConfidence(options.confidence);
    const report = await importCorpus(
      {
        source,
        importer,
        name,
        scope,
        format,
        title,
        category,
        severity,
        subject,
        date,
        confidence,
        origin,
        takenNames,
        wishes,
        isDryRun,
      },
      {
        store,
        keys,
        corporaDir,
        ...entropy,
        by: commandAuthor,
        openLane: openWorkerLane,
        laneCount: importLanes,
        onProgress: progress.update,
        signal,
      },
    );
    progress.end();
    const { newId } = entropy;
    if (!isDryRun) await mergeCorpora({ store, keys, corporaDir, newId, run: mergeInWorker, signal }, "crowded");
    const isJson = options.json ?? false;
    const body = reportBody(report);
    const text = importText(report);
    if (report.dryRun === null) printResult<ImportReportBody>(output, isJson, body, text);
    else printResult<DryRunReport>(output, isJson, { ...body, ...dryRunBody(report.dryRun) }, text);
  } finally {
    progress.end();
    lock.release();
  }
  await sweepCorpora(open);
}

/** The importer, as recorded in the provenance. */
const importer = "cli";
/** Number of threads that read and hash records. */
const importLanes = 2;

function reportBody(report: ImportReport): ImportReportBody {
  return {
    name: report.name,
    read: report.read,
    imported: report.imported,
    skipped: report.skipped,
    duration_ms: report.durationMs,
    formats: report.formats,
    further_addresses: report.furtherAddresses,
    fields_dropped: report.fieldsDropped,
    left_out: report.leftOut,
    same_as: report.sameAs,
  };
}

function dryRunBody({ files, findings }: NonNullable<ImportReport["dryRun"]>): DryRun {
  return {
    dry_run: true,
    files,
    findings: findings.map(({ category, severity, title, sourceUrl, subjects, details }) => ({
      category,
      severity,
      title,
      source_url: sourceUrl,
      subject: subjects[0] ?? null,
      details: details[0] ?? {},
    })),
  };
}

/** Imports made with older rules, which may have kept unwanted text, and the commands that redo them. */
function outdatedImports({ name, scope, origin, confidence, imports }: Corpus): OutdatedImport[] {
  const own = [
    ...(scope === null ? [] : ["--scope", scope]),
    ...(origin === name ? [] : ["--origin", origin]),
    "--confidence",
    String(confidence),
  ];
  return imports
    .filter(({ rules }) => rules < importRules)
    .map(({ fileName, options }) => {
      const given = Object.entries(options).flatMap(([option, value]) => [`--${option}`, value]);
      const words = ["xpose", "corpus", "import", fileName, "--name", name, ...own, ...given];
      return { name, file: fileName, redo: words.map(shellWord).join(" ") };
    });
}

function outdatedText(outdated: readonly OutdatedImport[]): string[] {
  if (outdated.length === 0) return [];
  const names = [...new Set(outdated.map(({ name }) => name))];
  return [
    "",
    "These imports were made by the rules of an older version. They may hold unwanted text from the files: names,",
    "titles, text that is not a site, addresses in file names. Remove the corpus and import its files again:",
    ...names.flatMap((name) => [
      `  xpose corpus remove ${name}`,
      ...outdated.filter((one) => one.name === name).map(({ redo }) => `  ${redo}`),
    ]),
  ];
}

/** Quotes a word for a shell where necessary. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function corpusBody({ name, scope, confidence, origin, imports }: Corpus): ListedCorpus {
  const records = imports.reduce((sum, { recordCount }) => sum + recordCount, 0);
  return { name, scope, confidence, origin, records, imports: imports.map(importBody) };
}

function importBody(one: CorpusImport): ListedImport {
  return {
    file: one.fileName,
    sha256: one.sha256,
    format: one.format,
    options: one.options,
    importer: one.importer,
    read: one.readCount,
    records: one.recordCount,
    skipped: one.skipped,
    imported_at: timestamp(one.importedAt),
    duration_ms: one.durationMs,
  };
}

function parseFieldNames(text: string): OptionalField[] {
  return text.split(",").map((word) => {
    const field = optionalFields.find((name) => name === word.trim().toLowerCase());
    if (field === undefined) {
      throw new CommandError(exitCodes.usage, `--fields must be a list of ${optionalFields.join(", ")}`);
    }
    return field;
  });
}

function parseConfidence(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 1)) {
    throw new CommandError(exitCodes.usage, "--confidence must be a number from 0 to 1");
  }
  return Math.round(value * 1000) / 1000;
}
