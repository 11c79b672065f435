import {
  type AuditAction,
  type AuditHead,
  type AuditRow,
  type AuditState,
  chainedMac,
  checkpointText,
  emptyHead,
} from "../domain/audit.ts";
import type { AuditStore } from "../store/port/audit.ts";
import { type KeptHead, lostHeadText } from "./audit-head.ts";

/**
 * Result of a check of the audit trail. `badRow` is the first event that was changed; null if `ok` or if no single
 * event is at fault.
 */
export type AuditCheck = {
  readonly ok: boolean;
  /** Number of events checked. */
  readonly rows: number;
  readonly head: AuditHead;
  readonly badRow: number | null;
  readonly problem: string | null;
};

/** Heads that must be in the trail. */
export type KnownHeads = {
  /** The head kept beside the secret; null when there is none to compare with, as in a backup. */
  readonly kept: KeptHead | null;
  /** Heads from the log, given by the operator. */
  readonly given: readonly AuditHead[];
};

type TrailSource = Pick<AuditStore, "readChain" | "auditState">;

/** Rows read at a time. */
const chainStep = 1000;
/** Old events may be removed during a check. The check then starts again, at most this often. */
const maxStarts = 10;

/**
 * Reads the whole audit trail from its start and checks that
 * - every event is chained to the previous event, and no stored byte is outside the chain;
 * - the trail begins with event 1, or where its last checkpoint says;
 * - it contains every known head, and a head is kept: a trail that was cut, or replaced by an older copy, is consistent
 *   in itself;
 * - keys, operators and workspaces are as the last event about each left them.
 *
 * It cannot detect that the database and all known heads were replaced together by an older set.
 */
export async function verifyAudit(
  store: TrailSource,
  auditKey: Uint8Array,
  heads: KnownHeads,
  onProgress: (rowCount: number) => void = () => undefined,
): Promise<AuditCheck> {
  for (let starts = 1; ; starts += 1) {
    const before = await store.auditState();
    const check = await verifyFrom(before, store, auditKey, heads, onProgress);
    if (check.ok || starts === maxStarts) return check;
    const { start } = await store.auditState();
    if (start.row === before.start.row && start.mac === before.start.mac) return check;
  }
}

type Finding = { readonly badRow: number | null; readonly problem: string };

async function verifyFrom(
  { start, startSubjects }: AuditState,
  store: TrailSource,
  auditKey: Uint8Array,
  heads: KnownHeads,
  onProgress: (rowCount: number) => void,
): Promise<AuditCheck> {
  const walk = openWalk(start, startSubjects, auditKey, heads);
  const result = (finding: Finding | null): AuditCheck => {
    const { head } = walk;
    return {
      ok: finding === null,
      rows: head.row - start.row,
      head,
      badRow: finding?.badRow ?? null,
      problem: finding?.problem ?? null,
    };
  };
  // Start with the very first row: a row before the start of the trail was inserted by an attacker.
  let after = Number.NEGATIVE_INFINITY;
  // The subject tables belong to this event. Rows appended during the check are read up to it and no further.
  let end: AuditState | null = null;
  for (;;) {
    const rows = await store.readChain(after, chainStep);
    for (const row of rows) {
      if (end !== null && row.row > end.head.row) break;
      const finding = walk.take(row);
      if (finding !== null) return result(finding);
    }
    onProgress(walk.head.row - start.row);
    after = rows.at(-1)?.row ?? after;
    if (rows.length === chainStep && (end === null || walk.head.row < end.head.row)) continue;
    if (end !== null) return result(walk.finish(end));
    end = await store.auditState();
  }
}

/** The last event about a subject, and the digest in it. */
type Told = { readonly digest: string; readonly row: number; readonly action: AuditAction };

/** Walks the chain, event by event. */
function openWalk(
  start: AuditHead,
  startSubjects: ReadonlyMap<string, string>,
  auditKey: Uint8Array,
  { kept, given }: KnownHeads,
) {
  let head = start;
  let holderCount = 0;
  let checkpoint: { readonly row: number; readonly text: string | null } | null = null;
  const told = new Map<string, Told>();
  const known = [...(kept?.head == null ? [] : [kept.head]), ...given];

  function take(row: AuditRow): Finding | null {
    if (row.row <= start.row) return bad(row.row, "the event stands before the start of the trail");
    if (row.row !== head.row + 1) return bad(head.row + 1, "events are missing before the next one");
    if (row.event === null || chainedMac(auditKey, head, row.text) !== row.mac) {
      return bad(row.row, "the event is not as it was written");
    }
    if (known.some((one) => one.row === row.row && one.mac !== row.mac)) {
      return bad(row.row, "the event is not the one whose head was kept");
    }
    const { action, subjects, detail } = row.event;
    if (action === "audit.baseline" && (checkpoint !== null || told.size > 0)) {
      return bad(row.row, "keys, operators and workspaces were taken as they were a second time");
    }
    if (action === "audit.baseline" || action === "audit.checkpoint") checkpoint = { row: row.row, text: detail };
    for (const { id, digest } of subjects ?? []) told.set(id, { digest, row: row.row, action });
    holderCount += row.holderCount;
    head = row;
    return null;
  }

  /** The checks at the end of the trail. `state` was read with its last event. */
  function finish(state: AuditState): Finding | null {
    if (head.row === start.row) return bad(start.row + 1, "the trail is empty");
    const cut = known.find((one) => one.row > head.row);
    if (cut !== undefined) return bad(head.row + 1, "the trail ends before a head that was kept of it");
    return startFinding(state) ?? headFinding() ?? holderFinding(state) ?? subjectFinding(state) ?? lostFinding();
  }

  /** The last checkpoint proves the start; without a checkpoint the trail must begin with event 1. */
  function startFinding(state: AuditState): Finding | null {
    const isSame = state.start.row === start.row && state.start.mac === start.mac;
    const isFirst = isSame && start.row === emptyHead.row && start.mac === emptyHead.mac && startSubjects.size === 0;
    if (checkpoint === null) return isFirst ? null : bad(start.row, "no checkpoint says that the trail begins here");
    if (isSame && checkpoint.text === checkpointText(start, startSubjects)) return null;
    return bad(checkpoint.row, "the trail does not begin where its last checkpoint says");
  }

  function headFinding(): Finding | null {
    const old = known.find((one) => one.row < start.row || (one.row === start.row && one.mac !== start.mac));
    if (old === undefined) return null;
    return bad(old.row, "the event of this head was removed past its retention; give a later head");
  }

  function holderFinding(state: AuditState): Finding | null {
    return state.holderCount === holderCount ? null : bad(null, "the index of the trail has entries without an event");
  }

  function subjectFinding(state: AuditState): Finding | null {
    for (const [id, digest] of state.subjects) {
      const last = told.get(id) ?? null;
      const expected = last?.digest ?? startSubjects.get(id);
      if (expected === undefined) return bad(null, `no event tells of the ${named(id)}`);
      if (expected !== digest) return bad(last?.row ?? null, `the ${named(id)} is not as ${eventOf(last)} left it`);
    }
    for (const id of new Set([...startSubjects.keys(), ...told.keys()])) {
      const last = told.get(id) ?? null;
      if (!state.subjects.has(id)) return bad(last?.row ?? null, `the ${named(id)} of ${eventOf(last)} is gone`);
    }
    return null;
  }

  function lostFinding(): Finding | null {
    if (kept === null || kept.head !== null) return null;
    return bad(null, `no head is kept beside the secret (${lostHeadText(kept)}), so the trail may have been cut`);
  }

  return {
    take,
    finish,
    get head() {
      return { row: head.row, mac: head.mac };
    },
  };
}

function bad(badRow: number | null, problem: string): Finding {
  return { badRow, problem };
}

/** Formats `key:<id>` as `key <id>`. */
function named(id: string): string {
  return id.replace(":", " ");
}

function eventOf(told: Told | null): string {
  return told === null ? "an event before the start of the trail" : `event ${told.row} (${told.action})`;
}
