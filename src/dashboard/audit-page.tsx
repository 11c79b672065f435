import { useEffect, useState } from "preact/hooks";
import type { AuditEventBody, AuditList } from "../wire/audit.ts";
import type { KeyList } from "../wire/key.ts";
import { ask, Fault } from "./api.ts";
import { useData } from "./data.ts";
import { EmptyState } from "./empty-state.tsx";
import { FaultNotice } from "./fault-notice.tsx";
import { Foreign, foreignLabel } from "./foreign.tsx";
import { formatCount, plural } from "./format.ts";
import { Icon } from "./icon.tsx";
import { isExpiry, useSession } from "./session.ts";

const pageSize = 50;
const exportPageSize = 200;
/** Maximum number of exported events. The command line exports all. */
const maxExported = 20_000;

export function AuditPage() {
  const { me } = useSession();
  const [keyId, setKeyId] = useState("");
  /** Cursors of the pages up to this page, which has the last cursor. */
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const path = pathOf(me.workspace.id, keyId, pageSize, cursors.at(-1) ?? null);
  const { body, fault, reload } = useData<AuditList>(path);
  const keys = useKnownKeys(body?.events ?? []);
  const choose = (id: string) => {
    setKeyId(id);
    setCursors([]);
  };
  const next = body?.next_cursor ?? null;

  return (
    <>
      <h1>Audit</h1>
      <p class="quiet lead">
        What was done in this workspace, newest first, UTC. Rows are chained and never changed; an address stands here
        only as a keyed hash.
      </p>
      <div class="row spread toolbar">
        <label class="field inline">
          <span>Key</span>
          <select value={keyId} onChange={(event) => choose(event.currentTarget.value)}>
            <option value="">all keys and everything else</option>
            {[...keys].map(([id, name]) => (
              <option key={id} value={id}>
                {foreignLabel(name)}
              </option>
            ))}
          </select>
        </label>
        <ExportButton workspaceId={me.workspace.id} keyId={keyId} />
      </div>
      {fault === null ? null : <FaultNotice fault={fault} retry={() => void reload()} />}
      {body === null ? null : body.events.length === 0 ? (
        <section class="card">
          <EmptyState icon="audit" title="No events yet">
            <p>{keyId === "" ? "Log-ins, keys and look-ups will show here." : "This key has not been used yet."}</p>
          </EmptyState>
        </section>
      ) : (
        <>
          <EventTable events={body.events} onKey={choose} />
          <div class="row spread">
            <button
              type="button"
              class="button"
              disabled={cursors.length === 0}
              onClick={() => setCursors(cursors.slice(0, -1))}
            >
              Newer
            </button>
            <span class="quiet small">Page {cursors.length + 1}</span>
            <button
              type="button"
              class="button"
              disabled={next === null}
              onClick={() => next !== null && setCursors([...cursors, next])}
            >
              Older
            </button>
          </div>
        </>
      )}
    </>
  );
}

/** Keys to filter by: all keys for admins; for viewers, who cannot list keys, the keys in the loaded events. */
function useKnownKeys(events: readonly AuditEventBody[]): ReadonlyMap<string, string> {
  const { me } = useSession();
  const isAdmin = me.operator.role === "admin";
  const { body } = useData<KeyList>(isAdmin ? `/workspaces/${me.workspace.id}/keys?limit=200` : null);
  const [known, setKnown] = useState<ReadonlyMap<string, string>>(new Map());
  useEffect(() => {
    const listed = (body?.keys ?? []).map(({ id, name, prefix, status }) => {
      return [id, `${name} (${prefix}…${status === "active" ? "" : `, ${status}`})`] as const;
    });
    const named = events.flatMap(({ key_id: id, key_name: name }) => (id === null ? [] : [[id, name ?? id] as const]));
    setKnown((before) => new Map([...before, ...named, ...listed]));
  }, [body, events]);
  return known;
}

function EventTable({ events, onKey }: { events: readonly AuditEventBody[]; onKey: (id: string) => void }) {
  return (
    <section class="card flush" aria-label="Events">
      <div class="table-frame">
        <table>
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col">Action</th>
              <th scope="col">Actor</th>
              <th scope="col">Key</th>
              <th scope="col">Outcome</th>
              <th scope="col">From</th>
              <th scope="col">Concerns</th>
            </tr>
          </thead>
          <tbody>
            {events.map((event, index) => (
              <tr key={`${event.at} ${index}`}>
                <td class="nowrap">{event.at.slice(0, 19).replace("T", " ")}</td>
                <td class="nowrap">
                  <Foreign text={event.action} />
                </td>
                <td>
                  <Actor actor={event.actor} />
                </td>
                <td>
                  <KeyCell event={event} onKey={onKey} />
                </td>
                <td>
                  <span class={isRefusal(event.outcome) ? "status revoked" : "status active"}>
                    <Foreign text={event.outcome} />
                  </span>
                </td>
                <td class="mono small">{event.ip ?? "–"}</td>
                <td class="small concerns">
                  <Concerns event={event} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** `key:<id>`, `operator:<name>`, `cli` or `anonymous`. Keys have their own column. */
function Actor({ actor }: { actor: string }) {
  const [, name] = /^operator:(.*)$/s.exec(actor) ?? [];
  if (name === undefined) return <Foreign text={actor.startsWith("key:") ? "key" : actor} />;
  return (
    <>
      <Foreign text={name} />
      <div class="quiet small">operator</div>
    </>
  );
}

function KeyCell({ event, onKey }: { event: AuditEventBody; onKey: (id: string) => void }) {
  const { key_id: id, key_name: name } = event;
  if (id === null) return <span class="quiet">–</span>;
  return (
    <button type="button" class="link" onClick={() => onKey(id)} title="Only events of this key">
      <Foreign text={name ?? id} />
    </button>
  );
}

function Concerns({ event }: { event: AuditEventBody }) {
  const { detail, count, request_id: requestId, indicator_hmac: hmac } = event;
  return (
    <>
      {detail === undefined ? null : <Foreign text={detail} />}
      {count === undefined ? null : ` ${plural(count, "event")}`}
      {requestId === null ? null : <div class="mono quiet">scan {requestId}</div>}
      {hmac === null ? null : <div class="mono quiet" title={hmac}>{`indicator ${hmac.slice(0, 16)}…`}</div>}
    </>
  );
}

function isRefusal(outcome: string): boolean {
  return outcome === "failed" || Number(outcome) >= 400;
}

/** Writes the events as JSON Lines, like `xpose audit export`. */
function ExportButton({ workspaceId, keyId }: { workspaceId: string; keyId: string }) {
  const { expire } = useSession();
  const [progress, setProgress] = useState<string | null>(null);
  const [fault, setFault] = useState<Fault | null>(null);

  const run = async () => {
    setFault(null);
    const lines: string[] = [];
    try {
      let cursor: string | null = null;
      do {
        setProgress(`Exporting, ${formatCount(lines.length)} rows`);
        const page: AuditList = (await ask<AuditList>(pathOf(workspaceId, keyId, exportPageSize, cursor))).body;
        lines.push(...page.events.map((event) => `${JSON.stringify(event)}\n`));
        cursor = page.next_cursor;
      } while (cursor !== null && lines.length < maxExported);
      save(
        new Blob(lines, { type: "application/x-ndjson" }),
        `xpose-audit-${new Date().toISOString().slice(0, 10)}.jsonl`,
      );
      const isCut = cursor !== null;
      setProgress(
        isCut
          ? `The newest ${formatCount(lines.length)} rows; all of them: xpose audit export`
          : plural(lines.length, "row"),
      );
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      if (isExpiry(error)) expire();
      setProgress(null);
      setFault(error);
    }
  };

  return (
    <div class="row">
      {fault === null ? null : <FaultNotice fault={fault} />}
      <span class="quiet small" role="status">
        {progress}
      </span>
      <button type="button" class="button" onClick={run}>
        <Icon name="external" />
        Export as JSON Lines
      </button>
    </div>
  );
}

function pathOf(workspaceId: string, keyId: string, limit: number, cursor: string | null): string {
  const query = new URLSearchParams({ limit: String(limit) });
  if (keyId !== "") query.set("key_id", keyId);
  if (cursor !== null) query.set("cursor", cursor);
  return `/workspaces/${workspaceId}/audit?${query}`;
}

function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
