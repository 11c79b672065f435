import { Command } from "commander";
import { readKeptHead, verifyAudit } from "../access/audit.ts";
import { auditBody, headText, parseHead } from "../domain/audit.ts";
import type { AuditCheckBody, AuditLine, UnreadableAuditLine } from "../wire/audit.ts";
import { type GlobalOptions, readConfig, withStore } from "./context.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { jsonLine, type Output, printResult } from "./output.ts";
import { drawProgress } from "./progress.ts";

/** Rows that are read at once. */
const step = 1000;

export function auditCommand(output: Output): Command {
  const audit = new Command("audit").description("who asked and changed what, and proof that nobody rewrote it");

  audit
    .command("verify")
    .description(
      "Checks every row of the audit trail against the one before it, and its end against the head that is kept beside the secret.",
    )
    .option("--head <n:hex>", "a head from the log: finds a trail that was cut or replaced together with its kept head")
    .addHelpText("after", "\nExample:\n  xpose audit verify --head 1042:5b0c...")
    .action(async (_options: object, command: Command) => {
      const { json = false, head: given } = command.optsWithGlobals<GlobalOptions & { head?: string }>();
      const givenHead = given === undefined ? null : parseHead(given);
      if (given !== undefined && givenHead === null) {
        throw new CommandError(
          exitCodes.usage,
          "--head wants a row number, a colon and 64 hex digits, as the log has it",
        );
      }
      await withStore(readConfig(command, output), async ({ store, keys, headFile }) => {
        const keptHead = readKeptHead(headFile);
        if (keptHead === null)
          output.err(`warning: no head is kept in ${headFile}; a cut tail is found only with --head\n`);
        const heads = [keptHead, givenHead].filter((head) => head !== null);
        const progress = drawProgress(output);
        const { ok, rows, head, badRow, problem } = await verifyAudit(store, keys.audit, heads, progress.count);
        progress.end();
        const text = ok
          ? `The audit trail is whole: ${rows} rows, head ${headText(head)}`
          : `The audit trail is broken at row ${badRow}: ${problem}`;
        const body = { ok, rows, head: headText(head), first_bad_row: badRow, problem };
        printResult<AuditCheckBody>(output, json, body, text);
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
