import { Command } from "commander";
import { readKeptHead } from "../../access/audit-head.ts";
import { verifyAudit } from "../../access/verify-audit.ts";
import { auditBody, headText } from "../../domain/audit.ts";
import type { AuditCheckBody, AuditLine, UnreadableAuditLine } from "../../wire/audit.ts";
import { type GlobalOptions, headFrom, readConfig, withStore } from "../context.ts";
import { CommandError, exitCodes } from "../exit.ts";
import { jsonLine, type Output, printResult } from "../output.ts";
import { drawProgress } from "../progress.ts";

/** Number of rows per read. */
const step = 1000;

export function auditCommand(output: Output): Command {
  const audit = new Command("audit").description("the audit trail, and proof that it was not rewritten");

  audit
    .command("verify")
    .description(
      "Checks the whole audit trail: every row against the previous row, the start against the last checkpoint, the end against the head that is kept beside the secret, and the present keys, operators and workspaces against the recorded changes.",
    )
    .option("--head <n:hex>", "a head from the log; detects a trail that was cut or replaced with its kept head")
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
            `warning: ${headFile} holds no head; if it was lost by accident, write the last "audit head" of the log to this file\n`,
          );
        }
        if (!ok) throw new CommandError(exitCodes.failed, "the audit trail is damaged or was changed");
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
          // Rows that xpose did not write are shown unchanged: leaving them out would help an attacker.
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
