import { resolve } from "node:path";
import { Command } from "commander";
import { type BackupReport, writeBackup } from "../../backup/write-backup.ts";
import type { Config } from "../../config/config.ts";
import { sweepCorpora } from "../../corpus/remove-orphans.ts";
import { lowerPriority } from "../../corpus/worker/lower-priority.ts";
import { type BackupPlace, inspectCopiedDatabase, openForBackup } from "../../data-directory/copied-database.ts";
import type { OpenStore } from "../../data-directory/data-directory.ts";
import { temporaryDirOf } from "../../data-directory/layout.ts";
import { takeExclusiveLock } from "../../data-directory/locks.ts";
import { timestamp } from "../../domain/time.ts";
import { entropy } from "../../entropy.ts";
import { version } from "../../version.ts";
import type { BackupReportBody } from "../../wire/backup.ts";
import { abortOnSignal, becomeOwner, type GlobalOptions, readConfig, withStore } from "../context.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { type Output, printResult } from "../output.ts";
import { drawProgress } from "../progress.ts";

export function backupCommand(output: Output): Command {
  return new Command("backup")
    .summary("write the whole data directory to one file")
    .description(
      "Writes a consistent copy of the data directory to a new file, also while xpose serves: the database, the corpora and, if it is in the data directory, the server secret.",
    )
    .argument("<file>", "the file to write, a tar archive; an existing file is refused")
    .addHelpText(
      "after",
      '\nExample:\n  xpose backup "/mnt/backup/xpose-$(date +%F).tar"\n  tar -xOf /mnt/backup/xpose-2026-11-26.tar manifest.json',
    )
    .option("--older", "accept a data directory of an older version of xpose, and copy it as it is")
    .action(async (file: string, { older = false }: { older?: boolean }, command: Command) => {
      if (file === "-") {
        throw new CommandError(
          exitCodes.usage,
          "backup needs a file, not a stream: it writes the start of the file last",
        );
      }
      const { json = false } = command.optsWithGlobals<GlobalOptions>();
      const config = readConfig(command, output);
      const path = resolve(file);
      const startedAt = performance.now();
      lowerPriority();
      const write = async (place: BackupPlace) => {
        const progress = drawProgress(output);
        return await writeBackup(path, {
          ...place,
          dataDir: config.dataDir,
          notesDir: temporaryDirOf(config),
          newId: entropy.newId,
          secretFile: config.isSecretInDataDir ? config.secretFile : null,
          takeLock: takeExclusiveLock,
          openCopy: (folder) => inspectCopiedDatabase(folder, place.keys),
          version,
          now: entropy.now(),
          onProgress: progress.stage,
          signal: abortOnSignal(),
        }).finally(progress.end);
      };
      const report = older
        ? await writeOlder(config, write)
        : await withStore(config, (open) => writePresent(open, write));
      const { manifest, sizeBytes, segmentCount, recordCount, hasSecret, hasHead, isExposed } = report;
      if (isExposed) output.err(`warning: other users can read ${path}; its file system does not store modes\n`);
      if (!hasHead) output.err("warning: the backup holds no head of the audit trail, see xpose audit verify\n");
      const body: BackupReportBody = {
        file: path,
        bytes: sizeBytes,
        created_at: timestamp(manifest.createdAt),
        schema_version: manifest.schemaVersion,
        segments: segmentCount,
        records: recordCount,
        audit_head: manifest.auditHead,
        secret: hasSecret,
        duration_ms: Math.round(performance.now() - startedAt),
      };
      const text = [
        `Wrote ${path}: ${(sizeBytes / 1024 / 1024).toFixed(1)} MiB; records in corpora: ${recordCount}, head of the audit trail: ${manifest.auditHead}.`,
        hasSecret
          ? "It holds the server secret: protect it like the data directory."
          : `It does not hold the server secret: without ${config.secretFile} it cannot be restored, so keep a copy of that too.`,
      ];
      printResult<BackupReportBody>(output, json, body, text.join("\n"));
    });
}

type Write = (place: BackupPlace) => Promise<BackupReport>;

async function writePresent(open: OpenStore, write: Write): Promise<BackupReport> {
  const report = await write(open);
  // A merge or removal during the backup could not delete its old segments, so delete them now.
  await sweepCorpora(open);
  return report;
}

/** Only copies: another version of xpose will go on using this directory. */
async function writeOlder(config: Config, write: Write): Promise<BackupReport> {
  becomeOwner(config.dataDir);
  return await write(openForBackup(config));
}
