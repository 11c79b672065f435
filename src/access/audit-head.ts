import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { type AuditHead, headText, parseHead } from "../domain/audit.ts";
import { diskFault } from "../domain/disk-fault.ts";
import type { AuditStore } from "../store/port/audit.ts";

/** The content of the head file: a head, or why there is none. */
export type KeptHead =
  | { readonly head: AuditHead }
  | { readonly head: null; readonly problem: "missing" | "unreadable"; readonly error?: unknown };

/**
 * How it stands with the copy of the head:
 * - `kept`: the file holds a head of this trail.
 * - `lost`: the file is missing or holds no head. Nothing is written: the trail may have been cut before the file was removed.
 * - `not_continued`: the trail does not hold the event of that head, so it was cut or replaced. The file stays as it is.
 * - `not_written`: the system refuses to write the file, which still holds an older head.
 */
export type HeadState =
  | { readonly kind: "kept"; readonly head: AuditHead }
  | { readonly kind: "lost"; readonly kept: KeptHead & { head: null } }
  | { readonly kind: "not_continued"; readonly head: AuditHead }
  | { readonly kind: "not_written"; readonly error: unknown };

type HeadSource = Pick<AuditStore, "auditHead" | "readChain">;

/** Reads the head that was kept. */
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

/** Keeps the first head of a trail that was just made. Where a file lies already, it is another trail's: see `keepHead`. */
export async function beginHead(store: HeadSource, file: string): Promise<HeadState> {
  const kept = readKeptHead(file);
  if (kept.head !== null || kept.problem !== "missing") return await keepHead(store, file);
  return write(await store.auditHead(), file);
}

/**
 * Copies the head of the trail to its file, by rename, if the trail goes on from the head that is kept there. A lost head
 * is never replaced by a new one, and one that the trail does not hold stays, so that `verifyAudit` goes on finding it
 * however long the trail becomes.
 */
export async function keepHead(store: HeadSource, file: string): Promise<HeadState> {
  const found = await compareHead(store, file);
  if (found.kind !== "kept") return found;
  const head = await store.auditHead();
  return found.head.row === head.row ? found : write(head, file);
}

/** Says whether the trail goes on from the head that is kept in the file. Writes nothing; `head` is that of the file. */
export async function compareHead(store: HeadSource, file: string): Promise<HeadState> {
  // Read first: another process may write a row and its head between the two.
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

/** Synced before the rename: after a power cut some file systems would show an empty file, which counts as a lost head. */
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
    // The folder takes no change at all; why the head is not kept is told already.
  }
}

/** Says in words why the head is not kept; null when it is. `file` is not named. */
export function headProblem(state: HeadState): string | null {
  if (state.kind === "kept") return null;
  if (state.kind === "not_continued") return `the trail does not hold the kept head ${headText(state.head)}`;
  if (state.kind === "not_written") return `it cannot be written: ${diskFault(state.error) ?? "unknown reason"}`;
  return lostHeadText(state.kept);
}

/** Says in words why there is no head. */
export function lostHeadText({ problem, error }: KeptHead & { head: null }): string {
  if (problem === "missing") return "the file is missing";
  const reason = error === undefined ? null : diskFault(error);
  return reason === null ? "the file holds no head" : `the file cannot be read: ${reason}`;
}
