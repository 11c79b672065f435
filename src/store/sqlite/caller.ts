import type { KeyFacts, WorkspaceFacts } from "../../domain/admit-call.ts";
import { isNetwork, type Networks, networksOf } from "../../domain/network.ts";
import type { Plan, WorkspaceId } from "../../domain/workspace.ts";
import { allowedIpsIn, scopesIn } from "./api-key-text.ts";
import type { Connection } from "./driver.ts";
import { toDate } from "./time.ts";

type WorkspaceRow = {
  workspace_id: WorkspaceId;
  workspace_name: string;
  plan: Plan;
  disabled_at: number | null;
  corpora_revision: string;
};
type KeyRow = WorkspaceRow & {
  id: string;
  name: string;
  hash: string;
  last_used_at: number | null;
  expires_at: number | null;
  revoked_at: number | null;
  scopes: string | null;
  allowed_ips: string | null;
};

/** Reads the key and workspace of a caller. */
export function callerReader(connection: Connection) {
  // Always finds a row, the nearest one, so that an unknown key takes as long as a known key. The comparison decides.
  const nearestKey = connection.prepare<[string], KeyRow>(
    `SELECT k.id, k.name, k.hash, k.last_used_at, k.expires_at, k.revoked_at, k.scopes, k.allowed_ips,
       w.id AS workspace_id, w.name AS workspace_name, w.plan, w.disabled_at, w.corpora_revision
     FROM api_key k JOIN workspace w ON w.id = k.workspace_id
     WHERE k.hash = coalesce((SELECT hash FROM api_key WHERE hash >= ? ORDER BY hash LIMIT 1),
                             (SELECT max(hash) FROM api_key))`,
  );
  const workspaceById = connection.prepare<[string], WorkspaceRow>(
    "SELECT id AS workspace_id, name AS workspace_name, plan, disabled_at, corpora_revision FROM workspace WHERE id = ?",
  );
  const setLastUsed = connection.prepare("UPDATE api_key SET last_used_at = ? WHERE id = ?");

  return {
    /** Null when no key has the hash. */
    key(hash: string): KeyFacts | null {
      const row = nearestKey.get(hash);
      // Also done for the neighbour's row: the time must not tell an unknown key from a revoked key.
      const nearest = row === undefined ? null : { hash: row.hash, facts: toKeyFacts(row) };
      return nearest !== null && isEqual(nearest.hash, hash) ? nearest.facts : null;
    },
    workspace(id: WorkspaceId): WorkspaceFacts | null {
      const row = workspaceById.get(id);
      return row === undefined ? null : toWorkspaceFacts(row);
    },
    setLastUsed(keyId: string, at: Date): void {
      setLastUsed.run(at.getTime(), keyId);
    },
  };
}

function toKeyFacts(row: KeyRow): KeyFacts {
  return {
    id: row.id,
    name: row.name,
    lastUsedAt: toDate(row.last_used_at),
    expiresAt: toDate(row.expires_at),
    revokedAt: toDate(row.revoked_at),
    scopes: scopesIn(row.scopes),
    allowedNetworks: row.allowed_ips === null ? null : allowedNetworks(row.allowed_ips),
    workspace: toWorkspaceFacts(row),
  };
}

const builtNetworks = new Map<string, Networks>();
/** More lists than the keys of a large installation have. */
const maxBuiltNetworks = 1000;

/** Built once per list instead of with every call. The stored list of a key never changes. */
function allowedNetworks(text: string): Networks {
  const known = builtNetworks.get(text);
  if (known !== undefined) return known;
  // An entry that xpose did not write admits no address, and does not harm the other calls of the batch.
  const networks = networksOf(allowedIpsIn(text).filter(isNetwork));
  if (builtNetworks.size >= maxBuiltNetworks) builtNetworks.clear();
  builtNetworks.set(text, networks);
  return networks;
}

function toWorkspaceFacts(row: WorkspaceRow): WorkspaceFacts {
  return {
    id: row.workspace_id,
    name: row.workspace_name,
    plan: row.plan,
    disabledAt: toDate(row.disabled_at),
    corporaRevision: row.corpora_revision,
  };
}

/** Compares in constant time. */
function isEqual(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && crypto.timingSafeEqual(a, b);
}
