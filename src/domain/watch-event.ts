import type { ExposureEvent, SourceEvent, ThinEvent, WatchCheckedEvent, WatchEventBody } from "../wire/event.ts";
import type { Atom } from "../wire/finding.ts";
import type { SourceErrorReason } from "./error.ts";
import type { Indicator } from "./indicator.ts";
import { sha256Hex } from "./sha256.ts";
import { timestamp } from "./time.ts";
import type { RoundCounts, WatchTrigger } from "./watch.ts";
import type { WorkspaceId } from "./workspace.ts";

/** docs/pipeline.md 20.4. */
export const watchEventTypes = ["exposure.new", "source.failing", "source.recovered", "watch.checked"] as const;
export type WatchEventType = (typeof watchEventTypes)[number];

/**
 * The id of the event with this number in its workspace: a UUID whose first 12 digits are the number and whose rest names
 * the workspace. Readers may so ask for what comes after an event that is long removed. Number 0 is before the first.
 */
export function eventId(workspaceId: WorkspaceId, number: number): string {
  const digits = number.toString(16).padStart(12, "0");
  return `${digits.slice(0, 8)}-${digits.slice(8)}-${tailOf(workspaceId)}`;
}

/** The reverse of `eventId`; null when the text is no id of an event of this workspace. */
export function eventNumber(workspaceId: WorkspaceId, id: string): number | null {
  const number = Number.parseInt(id.replace("-", "").slice(0, 12), 16);
  return Number.isSafeInteger(number) && eventId(workspaceId, number) === id ? number : null;
}

function tailOf(workspaceId: WorkspaceId): string {
  const hex = sha256Hex(`event\0${workspaceId}`);
  return `4${hex.slice(0, 3)}-8${hex.slice(3, 6)}-${hex.slice(6, 18)}`;
}

/** An event that is not numbered yet. */
export type NewWatchEvent = {
  readonly type: WatchEventType;
  /** The hash of its indicator, by which it is erased; null when it has none. */
  readonly indicatorHash: string | null;
  /** The body for its id. */
  readonly body: (id: string) => WatchEventBody;
};

export function exposureEvent(
  at: Date,
  watched: { readonly indicator: Indicator; readonly indicatorHash: string; readonly label: string | null },
  check: { readonly isFirst: boolean; readonly requestId: string | null; readonly findings: readonly Atom[] },
): NewWatchEvent {
  const { indicator, indicatorHash, label } = watched;
  const { isFirst, requestId, findings } = check;
  const body = (id: string): ExposureEvent => ({
    id,
    type: "exposure.new",
    at: timestamp(at),
    label,
    indicator,
    request_id: requestId,
    findings,
    ...(isFirst ? { first: true } : {}),
  });
  return { type: "exposure.new", indicatorHash, body };
}

export function sourceEvent(
  at: Date,
  type: "source.failing" | "source.recovered",
  source: string,
  error: SourceErrorReason | null,
): NewWatchEvent {
  const body = (id: string): SourceEvent => ({ id, type, at: timestamp(at), source, error });
  return { type, indicatorHash: null, body };
}

/** docs/pipeline.md 34. */
export function checkedEvent(
  at: Date,
  trigger: WatchTrigger,
  corpora: readonly string[],
  counts: RoundCounts,
): NewWatchEvent {
  const { checked, matched, new: fresh, failed } = counts;
  const body = (id: string): WatchCheckedEvent => ({
    id,
    type: "watch.checked",
    at: timestamp(at),
    trigger,
    corpora,
    counts: { checked, matched, new: fresh, failed },
  });
  return { type: "watch.checked", indicatorHash: null, body };
}

/** The body of a thin webhook, which holds no address (docs/pipeline.md 20.6). */
export function thinEvent(event: WatchEventBody): ThinEvent {
  const label = "label" in event ? event.label : null;
  const data = {
    id: event.id,
    // A label is free text of the operator, and may be an address.
    label: label?.includes("@") === true ? null : label,
    request_id: "request_id" in event ? event.request_id : null,
    counts: countsOf(event),
  };
  return { type: event.type, timestamp: event.at, data };
}

function countsOf(event: WatchEventBody): ThinEvent["data"]["counts"] {
  if ("counts" in event) return event.counts;
  if (!("findings" in event)) return null;
  const count = (severity: Atom["severity"]) => event.findings.filter((atom) => atom.severity === severity).length;
  return { new: event.findings.length, high: count("high"), medium: count("medium"), low: count("low") };
}
