import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { type AuditHead, headText, parseHead } from "../domain/audit.ts";
import { diskFault } from "../domain/disk-fault.ts";
import type { AuditStore } from "../store/port/audit.ts";

/** The head read from the head file, or why there is none. */
export type KeptHead =
  | { readonly head: AuditHead }
  | { readonly head: null; readonly problem: "missing" | "unreadable"; readonly error?: unknown };

/**
 * The state of the head file:
 * - `kept`: the file holds a head of this trail.
 * - `lost`: the file is missing or holds no head. Nothing is written, because the trail may have been cut before the
 *   file was removed.
 * - `not_continued`: the trail does not contain the event of that head, so it was cut or replaced. The file stays as it
 *   is.
 * - `not_written`: the system refused to write the file, which still holds an older head.
 */
export type HeadState =
  | { readonly kind: "kept"; readonly head: AuditHead }
  | { readonly kind: "lost"; readonly kept: KeptHead & { head: null } }
  | { readonly kind: "not_continued"; readonly head: AuditHead }
  | { readonly kind: "not_written"; readonly error: unknown };

type HeadSource = Pick<AuditStore, "auditHead" | "readChain">;

/** Reads the head from its file. */
export function readKeptHead(file: string): KeptHead {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    return { head: null, problem: isMissing ? "missing" : "unreadable", error };
  }
  const head = parseHead(text);
  return head === null ? { head: null, problem: "unreadable" } : { head };
}

/** Writes the first head of a new trail. An existing file belongs to another trail and is handled by `keepHead`. */
export async function beginHead(store: HeadSource, file: string): Promise<HeadState> {
  const kept = readKeptHead(file);
  if (kept.head !== null || kept.problem !== "missing") return await keepHead(store, file);
  return write(await store.auditHead(), file);
}

/**
 * Copies the current head of the trail to its file, by rename, if the trail continues from the head in the file. A lost
 * head is never replaced, and a head that is not in the trail stays, so that `verifyAudit` keeps reporting it no matter
 * how long the trail grows.
 */
export async function keepHead(store: HeadSource, file: string): Promise<HeadState> {
  const found = await compareHead(store, file);
  if (found.kind !== "kept") return found;
  const head = await store.auditHead();
  return found.head.row === head.row ? found : write(head, file);
}

/**
 * Checks whether the trail continues from the head in the file. Writes nothing. The `head` returned is that of the
 * file.
 */
export async function compareHead(store: HeadSource, file: string): Promise<HeadState> {
  // Read the file first: another process may append a row and write its head between the two reads.
  const kept = readKeptHead(file);
  if (kept.head === null) return { kind: "lost", kept };
  const { row } = await store.auditHead();
  const isHeld = await holdsHead(store, kept.head, row);
  return { kind: isHeld ? "kept" : "not_continued", head: kept.head };
}

async function holdsHead(store: HeadSource, kept: AuditHead, lastRow: number): Promise<boolean> {
  if (kept.row > lastRow) return false;
  if (kept.row === 0) return true;
  const [there] = await store.readChain(kept.row - 1, 1);
  return there?.row === kept.row && there.mac === kept.mac;
}

/**
 * Synced before the rename: after a power failure some file systems would show an empty file, which counts as a lost
 * head.
 */
function write(head: AuditHead, file: string): HeadState {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const descriptor = openSync(temporary, "w", 0o600);
    try {
      writeSync(descriptor, `${headText(head)}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, file);
    return { kind: "kept", head };
  } catch (error) {
    removeIfThere(temporary);
    return { kind: "not_written", error };
  }
}

function removeIfThere(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // The folder is read-only; the first error already says why the head is not kept.
  }
}

/** Describes why the head is not kept, without the file name; null when it is kept. */
export function headProblem(state: HeadState): string | null {
  if (state.kind === "kept") return null;
  if (state.kind === "not_continued") return `the trail does not hold the kept head ${headText(state.head)}`;
  if (state.kind === "not_written") return `it cannot be written: ${diskFault(state.error) ?? "unknown reason"}`;
  return lostHeadText(state.kept);
}

/** Describes why there is no head. */
export function lostHeadText({ problem, error }: KeptHead & { head: null }): string {
  if (problem === "missing") return "the file is missing";
  const reason = error === undefined ? null : diskFault(error);
  return reason === null ? "the file holds no head" : `the file cannot be read: ${reason}`;
}
