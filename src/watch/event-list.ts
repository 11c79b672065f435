import { AppError } from "../domain/error.ts";
import type { DerivedKeys } from "../domain/keyed-hash.ts";
import { sealContext } from "../domain/watch.ts";
import { eventId, eventNumber } from "../domain/watch-event.ts";
import type { WorkspaceId } from "../domain/workspace.ts";
import type { Bell } from "../event-loop/bell.ts";
import type { EventStore, StoredEvent } from "../store/port/event.ts";
import type { EventList, WatchEventBody } from "../wire/event.ts";
import { openSealer } from "./seal.ts";

export type EventQuestion = {
  /** The id of the last event that the reader has; null = from the first one on. */
  readonly after: string | null;
  readonly limit: number;
  readonly types: readonly string[] | null;
  /** How long to wait for an event when there is none. */
  readonly waitMs: number;
};

type Tools = {
  readonly store: Pick<EventStore, "readEvents">;
  readonly keys: DerivedKeys;
  /** Rung when an event was added in this process. */
  readonly bell: Bell;
  readonly steadyNow: () => number;
  readonly signal: AbortSignal;
};

/** Events that commands add ring no bell here. */
const lookEveryMs = 1000;

/**
 * The events after `after`, oldest first (docs/pipeline.md 20.5). Throws `invalid_request` for what is no id, `not_found`
 * for one of another workspace or of a later state than this: events must never be passed over in silence.
 */
export async function readEventList(
  workspaceId: WorkspaceId,
  { after, limit, types, waitMs }: EventQuestion,
  { store, keys, bell, steadyNow, signal }: Tools,
): Promise<EventList> {
  const afterNumber = after === null ? 0 : numberIn(workspaceId, after);
  const { open } = openSealer(keys, unused);
  const until = steadyNow() + waitMs;
  for (;;) {
    const { events, lastNumber } = await store.readEvents(workspaceId, { afterNumber, limit, types });
    if (afterNumber > lastNumber) throw unknownEvent();
    const leftMs = until - steadyNow();
    if (events.length > 0 || leftMs <= 0 || signal.aborted) {
      const last = events.length === limit ? events.at(-1)?.number : undefined;
      return {
        events: events.map((event) => openEvent(event, open)),
        next: eventId(workspaceId, last ?? lastNumber),
      };
    }
    await bell.wait(Math.min(leftMs, lookEveryMs), signal);
  }
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function numberIn(workspaceId: WorkspaceId, id: string): number {
  if (!uuid.test(id)) throw new AppError("invalid_request", "The value of after must be the id of an event");
  const number = eventNumber(workspaceId, id);
  if (number === null) throw unknownEvent();
  return number;
}

function unknownEvent(): AppError {
  return new AppError("not_found", "There is no event with this id");
}

function unused(): never {
  throw new Error("reading needs no random bytes");
}

/** The body of a stored event. Throws when the row was not written with this secret. */
export function openEvent(
  { workspace, number, sealed }: StoredEvent,
  open: (sealed: Uint8Array, context: string) => string,
): WatchEventBody {
  return JSON.parse(open(sealed, sealContext(workspace.id, `event ${number}`))) as WatchEventBody;
}
