import { writeFileSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Reply } from "../domain/call.ts";
import { buildCase } from "../domain/case.ts";
import { parseTlp, type Tlp } from "../domain/tlp.ts";
import { type FormatName, formatNames, formats } from "../formats/format-table.ts";
import { ownUser } from "../own-user.ts";
import { version } from "../version.ts";
import { CommandError, exitCodes } from "./exit.ts";
import type { Output } from "./output.ts";
import type { AsRoot } from "./owner.ts";

export type ExportFlags = {
  readonly format?: FormatName;
  readonly tlp: Tlp;
  readonly bom?: boolean;
  readonly output?: string;
};

/**
 * Adds the flags of an export (docs/pipeline.md 18.5), which are the same on every command that exports. `marked` says what
 * `--tlp` marks.
 */
export function addExportFlags(
  command: Command,
  { isRequired, marked }: { readonly isRequired: boolean; readonly marked: string },
): Command {
  const format = new Option("--format <name>", "print it in this format of others").choices(formatNames);
  return command
    .addOption(isRequired ? format.makeOptionMandatory() : format)
    .addOption(
      new Option("--tlp <mark>", `Traffic Light Protocol of ${marked}: clear, green, amber, amber+strict or red`)
        .default("amber")
        .argParser(tlpFrom),
    )
    .option("--bom", "begin CSV with a byte order mark, for spreadsheets")
    .option("--output <file>", "write to a new file instead of the standard output");
}

function tlpFrom(text: string): Tlp {
  const tlp = parseTlp(text);
  if (tlp === null) throw new InvalidArgumentError("It must be clear, white, green, amber, amber+strict or red.");
  return tlp;
}

/** Prints or writes a completed case. Throws `CommandError` with the reason for any other reply. */
export function writeExport(
  output: Output,
  format: FormatName,
  flags: ExportFlags & { asRoot: AsRoot | null },
  reply: Reply | undefined,
): void {
  if (reply?.kind === "refused") throw reply.error;
  if (reply?.kind === "unfinished") {
    throw new CommandError(exitCodes.refused, `the scan is not finished, it is ${reply.state}`);
  }
  const exported = reply?.kind === "case" ? buildCase(reply, version) : null;
  if (exported?.status !== "completed") {
    throw new CommandError(
      exitCodes.failed,
      "the scan failed: no source answered, so nothing is known about this address",
    );
  }
  if (exported.partial) output.err("warning: some sources failed; this evidence is partial\n");
  const text = formats[format].write(exported, { tlp: flags.tlp, hasByteOrderMark: flags.bom ?? false });
  if (flags.output === undefined) output.out(text.endsWith("\n") ? text : `${text}\n`);
  else {
    const file = flags.output;
    const write = () => writeNew(file, text);
    if (flags.asRoot === null) write();
    else flags.asRoot(write);
  }
}

/** Evidence about a person: readable only by the owner, and never overwrites a file. */
function writeNew(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") {
      throw new CommandError(exitCodes.refused, `${file} exists already; name a new file`);
    }
    const code = (error as NodeJS.ErrnoException).code ?? "unreadable";
    throw new CommandError(exitCodes.failed, `user ${ownUser()} cannot write ${file} (${code})`);
  }
}
