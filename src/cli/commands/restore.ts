import { resolve } from "node:path";
import { Command } from "commander";
import { headProblem } from "../../access/audit-head.ts";
import { restoreBackup } from "../../backup/restore-backup.ts";
import { checkedUnused } from "../../data-directory/admit.ts";
import { openCopiedDatabase, restoredKeys } from "../../data-directory/copied-database.ts";
import { schemaVersion } from "../../data-directory/data-directory.ts";
import { headFileOf, unfinishedRestore } from "../../data-directory/layout.ts";
import { takeExclusiveLock } from "../../data-directory/locks.ts";
import { headText } from "../../domain/audit.ts";
import { timestamp } from "../../domain/time.ts";
import type { RestoreReportBody } from "../../wire/backup.ts";
import { abortOnSignal, becomeOwner, commandAuthor, type GlobalOptions, headFrom, readConfig } from "../context.ts";
import { type Output, printResult } from "../output.ts";
import { drawProgress } from "../progress.ts";

export function restoreCommand(output: Output): Command {
  return new Command("restore")
    .summary("make a data directory from a backup")
    .description(
      "Makes a data directory from a file of xpose backup. The directory must be empty or not exist. The whole backup is checked before the data directory becomes usable.",
    )
    .argument("<file>", "the file that xpose backup wrote")
    .option(
      "--head <n:hex>",
      "a head from the log of the backed-up service; refuses a backup whose audit trail does not contain it",
    )
    .addHelpText(
      "after",
      "\nExample:\n  xpose restore /mnt/backup/xpose-2026-11-26.tar --data-dir /var/lib/xpose --head 1042:5b0c...",
    )
    .action(async (file: string, _options: object, command: Command) => {
      const { json = false, head: given } = command.optsWithGlobals<GlobalOptions & { head?: string }>();
      const givenHead = given === undefined ? null : headFrom(given);
      const config = readConfig(command, output);
      const { dataDir, secretFile } = config;
      const startedAt = performance.now();
      becomeOwner(dataDir);
      const progress = drawProgress(output);
      const headFile = headFileOf(config);
      const report = await restoreBackup(resolve(file), {
        dataDir,
        secretFile,
        headFile,
        unfinished: unfinishedRestore,
        schemaVersion,
        checkUnused: () => void checkedUnused(dataDir, "restore"),
        keysOf: (secret) => restoredKeys(config, secret),
        takeLock: takeExclusiveLock,
        givenHead,
        openCopy: openCopiedDatabase,
        by: commandAuthor,
        onProgress: progress.stage,
        signal: abortOnSignal(),
      }).finally(progress.end);
      const { manifest, segmentCount, recordCount, head, hasSecret, headState, replacedHead } = report;
      const problem = headProblem(headState);
      if (problem !== null) {
        const what = headState.kind === "lost" ? "had no kept head" : "was tampered with";
        output.err(`warning: the audit trail ${what} before the backup: ${problem}; run xpose audit verify\n`);
      }
      if (replacedHead !== null)
        output.err(`warning: ${headFile} held a head that the backup does not have: ${headText(replacedHead)}\n`);
      const body: RestoreReportBody = {
        data_dir: dataDir,
        created_at: timestamp(manifest.createdAt),
        xpose_version: manifest.xposeVersion,
        segments: segmentCount,
        records: recordCount,
        audit_head: headText(head),
        checked_head: givenHead === null ? null : headText(givenHead),
        secret: hasSecret,
        duration_ms: Math.round(performance.now() - startedAt),
      };
      const text = [
        `Restored ${dataDir} as of ${body.created_at}: records in corpora: ${recordCount}, head of the audit trail: ${body.audit_head}.`,
        "Changes made after the backup are undone: repeat revocations and corpus forget commands from that time.",
        "All sessions of the dashboard have ended.",
        givenHead === null
          ? "These checks prove only that the backup is intact, not that it is yours. With --head N:HEX, a head from the log of your own service, xpose checks that too."
          : `Its audit trail holds the head ${body.checked_head}.`,
        `Next: xpose serve --data-dir ${dataDir}`,
      ];
      printResult<RestoreReportBody>(output, json, body, text.join("\n"));
    });
}
