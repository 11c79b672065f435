import { Command, Option } from "commander";
import { getWorkspace } from "../access/workspace.ts";
import type { Config } from "../config.ts";
import { type FormatName, formatNames } from "../corpus/formats/format.ts";
import { importCorpus } from "../corpus/import.ts";
import { verifyCorpora } from "../corpus/verify.ts";
import { severities } from "../domain/finding.ts";
import type { OpenStore } from "../wiring.ts";
import { commandAuthor, entropy, type GlobalOptions, readConfig, withStore } from "./context.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { type Output, printResult, table } from "./output.ts";
import { drawProgress } from "./progress.ts";
import { sweepCorpora } from "./sweep.ts";

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
};

export function corpusCommand(output: Output): Command {
  const corpus = new Command("corpus").description("breach files, imported once and looked up without a network");

  corpus
    .command("import")
    .description("Imports a breach file. All or nothing: until it is done, look-ups see the old state.")
    .argument("<file>", "a file, plain, .gz or .zst; - reads the standard input")
    .requiredOption("--name <name>", "the source its findings will have")
    .addOption(new Option("--format <format>", "default: detected from name and content").choices(formatNames))
    .option("--title <text>", "title of records that have none")
    .option("--category <category>", "category of records that have none")
    .addOption(new Option("--severity <severity>", "severity of records that have none").choices(severities))
    .option("--subject <domain>", "the service or leak concerned, for records that name none")
    .option("--date <date>", "date of the leak, YYYY, YYYY-MM or YYYY-MM-DD, for records that have none")
    .option("--confidence <number>", "reliability of this corpus, 0 to 1")
    .option("--origin <name>", "the dataset it draws on: sources of one origin do not corroborate each other")
    .option("--scope <workspace>", "the one workspace that sees it; default: all")
    .addHelpText(
      "after",
      "\nExample:\n  xpose corpus import breach.csv --name example-shop --subject shop.example.com --date 2021",
    )
    .action(async (file: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<ImportOptions>();
      const config = readConfig(command, output);
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
        const bodies = (await store.listCorpora()).map(({ name, scope, confidence, origin, imports }) => ({
          name,
          scope,
          confidence,
          origin,
          records: imports.reduce((sum, { recordCount }) => sum + recordCount, 0),
          imports: imports.map(({ fileName, format, recordCount, importedAt, sha256 }) => ({
            file: fileName,
            format,
            records: recordCount,
            imported_at: importedAt.toISOString().replace(/\.\d+Z$/, "+00:00"),
            sha256,
          })),
        }));
        const rows = bodies.map((body) => [
          body.name,
          body.scope ?? "all workspaces",
          body.confidence,
          body.origin,
          body.imports.length,
          body.records,
        ]);
        const text = table(["NAME", "SCOPE", "CONFIDENCE", "ORIGIN", "FILES", "RECORDS"], rows);
        printResult(output, command.optsWithGlobals<GlobalOptions>().json ?? false, bodies, text);
      });
    });

  corpus
    .command("remove")
    .description("Removes a corpus. From its return no look-up finds it.")
    .argument("<name>", "name of the corpus")
    .addHelpText("after", "\nExample:\n  xpose corpus remove example-shop")
    .action(async (name: string, _options: object, command: Command) => {
      await withStore(readConfig(command, output), async (open) => {
        if (!(await open.store.removeCorpus(name, entropy.newId(), commandAuthor()))) {
          throw new CommandError(exitCodes.notFound, "there is no corpus of that name");
        }
        await sweepCorpora(open);
        const { json = false } = command.optsWithGlobals<GlobalOptions>();
        printResult(output, json, { name, removed: true }, `Removed the corpus ${name}.`);
      });
    });

  corpus
    .command("verify")
    .description("Reads every imported file in full and checks that it is as it was written.")
    .addHelpText("after", "\nExample:\n  xpose corpus verify")
    .action(async (_options: object, command: Command) => {
      await withStore(readConfig(command, output), async ({ store, keys, corporaDir }) => {
        const corpora = await store.listCorpora();
        const progress = drawProgress(output);
        const checks = await verifyCorpora(corpora, corporaDir, keys, progress.count);
        progress.end();
        const ok = checks.every(({ fault }) => fault === null);
        const bodies = checks.map(({ corpus: name, file, recordCount, fault }) => ({
          name,
          file,
          records: recordCount,
          ok: fault === null,
          fault,
        }));
        const rows = bodies.map(({ name, file, records, fault }) => [name, file, records, fault ?? "ok"]);
        const { json = false } = command.optsWithGlobals<GlobalOptions>();
        printResult(output, json, { ok, imports: bodies }, table(["NAME", "FILE", "RECORDS", "STATE"], rows));
        if (!ok) throw new CommandError(exitCodes.failed, "a corpus is damaged; remove it and import its file again");
      });
    });

  return corpus;
}

async function importFile(
  file: string,
  options: ImportOptions,
  config: Config,
  { store, keys, corporaDir, lockCorpora }: OpenStore,
  output: Output,
): Promise<void> {
  const lock = lockCorpora("shared");
  if (lock === null) throw new CommandError(exitCodes.failed, "the corpora are being cleaned up; try again");
  const progress = drawProgress(output);
  const abort = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => abort.abort(new Error("interrupted")));
  try {
    const scope = options.scope === undefined ? null : (await getWorkspace(options.scope, store)).id;
    const takenNames = new Set(config.sources.filter((source) => source.isEnabled).map((source) => source.name));
    const source = file === "-" ? { stdin: process.stdin } : { path: file };
    const { name, format, title, category, severity, subject, date, origin } = options;
    const confidence = options.confidence === undefined ? undefined : parseConfidence(options.confidence);
    const report = await importCorpus(
      { source, name, scope, format, title, category, severity, subject, date, confidence, origin, takenNames },
      { store, keys, corporaDir, ...entropy, by: commandAuthor, onProgress: progress.update, signal: abort.signal },
    );
    progress.end();
    const skipped = Object.entries(report.skipped).map(([reason, count]) => `${count} ${reason}`);
    printResult(
      output,
      options.json ?? false,
      {
        name: report.name,
        read: report.read,
        imported: report.imported,
        skipped: report.skipped,
        duration_ms: report.durationMs,
      },
      `Imported ${report.imported} of ${report.read} records into ${report.name}; skipped: ${skipped.join(", ") || "none"}.`,
    );
  } finally {
    progress.end();
    lock.release();
  }
}

function parseConfidence(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 1)) {
    throw new CommandError(exitCodes.usage, "--confidence wants a number from 0 to 1");
  }
  return Math.round(value * 1000) / 1000;
}
