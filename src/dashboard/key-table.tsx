import type { Budgets, KeyBody } from "../wire/key.ts";
import { Foreign, foreignLabel } from "./foreign.tsx";
import { formatCount, plural } from "./format.ts";
import { KeyRights } from "./key-rights.tsx";
import { Meter } from "./meter.tsx";
import { Moment } from "./moment.tsx";

type KeyTableProps = {
  readonly keys: readonly KeyBody[];
  /** All keys, including revoked keys, because lineages lead through them. */
  readonly all: readonly KeyBody[];
  readonly budgets: Budgets | null;
  readonly canRotate: boolean;
  readonly onRotate: (key: KeyBody) => void;
  readonly onRevoke: (key: KeyBody) => void;
};

export function KeyTable({ keys, all, budgets, canRotate, onRotate, onRevoke }: KeyTableProps) {
  return (
    <div class="table-frame">
      <table>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Status</th>
            <th scope="col">Scopes</th>
            <th scope="col">Hourly limit</th>
            <th scope="col">Last used</th>
            <th scope="col">Expires</th>
            <th scope="col">Created</th>
            <th scope="col">Lineage</th>
            <th scope="col" class="pinned">
              <span class="unseen">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <tr key={key.id} class={key.status === "active" ? "" : "past"}>
              <th scope="row">
                <Foreign text={key.name} />
                <div class="quiet small mono nowrap">
                  <Foreign text={key.prefix} />…
                </div>
              </th>
              <td>
                <span class={`status ${key.status}`}>{key.status}</span>
                {key.revoked_at === null ? null : (
                  <div class="quiet small">
                    <Moment iso={key.revoked_at} as="age" />
                  </div>
                )}
              </td>
              <td>
                <KeyRights apiKey={key} />
              </td>
              <td>{key.status === "active" ? <Use apiKey={key} budgets={budgets} /> : <span class="quiet">–</span>}</td>
              <td>
                <Moment iso={key.last_used_at} as="age" absent="never" />
              </td>
              <td>
                <Moment iso={key.expires_at} as="age" absent="never" />
              </td>
              <td>
                <Moment iso={key.created_at} as="age" />
                <div class="quiet small">
                  <Foreign text={creatorOf(key)} />
                </div>
              </td>
              <td>
                <Lineage apiKey={key} all={all} />
              </td>
              <td class="actions pinned">
                {key.status !== "active" ? null : (
                  <>
                    <button
                      type="button"
                      class="button small"
                      disabled={!canRotate}
                      aria-label={`Rotate ${foreignLabel(key.name)}`}
                      onClick={() => onRotate(key)}
                    >
                      Rotate
                    </button>
                    <button
                      type="button"
                      class="button small danger"
                      aria-label={`Revoke ${foreignLabel(key.name)}`}
                      onClick={() => onRevoke(key)}
                    >
                      Revoke
                    </button>
                  </>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function creatorOf({ created_by: by }: KeyBody): string {
  return by === "cli" ? "command line" : by.replace(/^operator:/, "");
}

function Use({ apiKey, budgets }: { apiKey: KeyBody; budgets: Budgets | null }) {
  if (budgets === null) return <span class="quiet">–</span>;
  if (budgets.limit === 0) return <span class="quiet">no limit</span>;
  const budget = budgets.budgets.find(({ key_id }) => key_id === apiKey.id);
  const used = budget?.used ?? 0;
  const isOpen = budget !== undefined && used > 0;
  const minutes = Math.ceil((budget?.resets_in_seconds ?? 0) / 60);
  return (
    <div class="use" title={isOpen ? `starts afresh in ${plural(minutes, "minute")}` : "no window is open"}>
      <Meter share={used / budgets.limit} label={`${used} of ${budgets.limit} requests used`} />
      <span class="small quiet">
        {formatCount(used)} of {formatCount(budgets.limit)}
      </span>
    </div>
  );
}

/** The predecessors and successors of this key, oldest first, shown by the end of their prefixes. */
function Lineage({ apiKey, all }: { apiKey: KeyBody; all: readonly KeyBody[] }) {
  const byId = new Map(all.map((key) => [key.id, key]));
  const line = [apiKey];
  for (let key = before(apiKey, byId); key !== undefined && !line.includes(key); key = before(key, byId))
    line.unshift(key);
  for (let key = after(apiKey, byId); key !== undefined && !line.includes(key); key = after(key, byId)) line.push(key);
  if (line.length === 1) {
    return <span class="quiet">{apiKey.rotated_from === null ? "original" : "rotated from an older key"}</span>;
  }
  const shown = line.slice(Math.max(0, line.indexOf(apiKey) - 2), line.indexOf(apiKey) + 3);
  return (
    <div
      title={`${line.indexOf(apiKey)} rotations before this key, ${line.length - 1 - line.indexOf(apiKey)} after it`}
    >
      <ol class="lineage">
        {shown.map((key) => (
          <li
            key={key.id}
            class={key === apiKey ? "this mono" : "mono"}
            aria-current={key === apiKey ? "true" : undefined}
          >
            <Foreign text={key.prefix.replace(/^xpz_live_/, "")} />
          </li>
        ))}
      </ol>
      <div class="quiet small nowrap">{plural(line.length - 1, "rotation")}</div>
    </div>
  );
}

function before(key: KeyBody, byId: ReadonlyMap<string, KeyBody>): KeyBody | undefined {
  return key.rotated_from === null ? undefined : byId.get(key.rotated_from);
}

function after(key: KeyBody, byId: ReadonlyMap<string, KeyBody>): KeyBody | undefined {
  return key.rotated_to === null ? undefined : byId.get(key.rotated_to);
}
