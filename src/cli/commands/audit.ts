import { Command } from "commander";
import { readKeptHead } from "../../access/audit-head.ts";
import { verifyAudit } from "../../access/verify-audit.ts";
import { auditBody, headText } from "../../domain/audit.ts";
import type { AuditCheckBody, AuditLine, UnreadableAuditLine } from "../../wire/audit.ts";
import { type GlobalOptions, headFrom, readConfig, withStore } from "../context.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { jsonLine, type Output, printResult } from "../output.ts";
import { drawProgress } from "../progress.ts";

/** Rows that are read at once. */
const step = 1000;

export function auditCommand(output: Output): Command {
  const audit = new Command("audit").description("who asked and changed what, and proof that nobody rewrote it");

  audit
    .command("verify")
    .description(
      "Checks every row of the audit trail against the one before it, its start against its last checkpoint, its end against the head that is kept beside the secret, and keys, operators and workspaces against what it says of them.",
    )
    .option("--head <n:hex>", "a head from the log: finds a trail that was cut or replaced together with its kept head")
    .addHelpText("after", "\nExample:\n  xpose audit verify --head 1042:5b0c...")
    .action(async (_options: object, command: Command) => {
      const { json = false, head: given } = command.optsWithGlobals<GlobalOptions & { head?: string }>();
      const heads = given === undefined ? [] : [headFrom(given)];
      await withStore(readConfig(command, output), async ({ store, keys, headFile }) => {
        const kept = readKeptHead(headFile);
        const progress = drawProgress(output);
        const known = { kept, given: heads };
        const { ok, rows, head, badRow, problem } = await verifyAudit(store, keys.audit, known, progress.count);
        progress.end();
        const text = ok
          ? `The audit trail is whole: ${rows} rows, head ${headText(head)}`
          : `The audit trail is ${badRow === null ? "not proved" : `broken at row ${badRow}`}: ${problem}`;
        const body = { ok, rows, head: headText(head), first_bad_row: badRow, problem };
        printResult<AuditCheckBody>(output, json, body, text);
        if (kept.head === null) {
          output.err(
            `warning: no head is kept in ${headFile}; if it was lost by accident, put the last "audit head" of the log there\n`,
          );
        }
        if (!ok) throw new CommandError(exitCodes.failed, "the audit trail is not as it was written");
      });
    });

  audit
    .command("export")
    .description("Prints the whole audit trail, oldest first, one JSON object per line.")
    .addHelpText("after", "\nExample:\n  xpose audit export > audit.jsonl")
    .action(async (_options: object, command: Command) => {
      await withStore(readConfig(command, output), async ({ store }) => {
        for (let after = 0; ; ) {
          const rows = await store.readChain(after, step);
          // What xpose did not write is shown as it is: hiding it would help whoever wrote it.
          const lines = rows.map(({ row, event, text, mac }) =>
            event === null
              ? jsonLine<UnreadableAuditLine>({ row, unreadable: text, mac })
              : jsonLine<AuditLine>({ row, ...auditBody(event), mac }),
          );
          if (lines.length > 0) output.out(lines.join(""));
          after = rows.at(-1)?.row ?? after;
          if (rows.length < step) return;
        }
      });
    });

  return audit;
}
