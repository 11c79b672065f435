import type { CorpusRevisions } from "../../domain/watch.ts";
import type { Workspace, WorkspaceId } from "../../domain/workspace.ts";
import type { Connection } from "./driver.ts";

/** What the list of each workspace was last compared with, and the number of its last event. */
export function watchStateTable(connection: Connection) {
  const workspaces = connection.prepare<[], Pick<Workspace, "id" | "name"> & { corpora: string | null }>(
    `SELECT workspace.id, workspace.name, watch_state.corpora FROM workspace
     LEFT JOIN watch_state ON watch_state.workspace_id = workspace.id
     WHERE disabled_at IS NULL AND EXISTS (SELECT 1 FROM watched WHERE watched.workspace_id = workspace.id)
     ORDER BY workspace.id`,
  );
  const visible = connection.prepare<[string], { name: string; revision: string }>(
    "SELECT name, revision FROM corpus WHERE scope IS NULL OR scope = ? ORDER BY name",
  );
  const setCorpora = connection.prepare(
    `INSERT INTO watch_state (workspace_id, corpora, last_event) VALUES (?, ?, 0)
     ON CONFLICT DO UPDATE SET corpora = excluded.corpora`,
  );
  const takeNumber = connection
    .prepare<[string], number>(
      `INSERT INTO watch_state (workspace_id, corpora, last_event) VALUES (?, NULL, 1)
       ON CONFLICT DO UPDATE SET last_event = last_event + 1 RETURNING last_event`,
    )
    .pluck();
  const lastNumber = connection
    .prepare<[string], number>("SELECT last_event FROM watch_state WHERE workspace_id = ?")
    .pluck();

  return {
    /** The workspaces that watch something. */
    watching: () =>
      workspaces.all().map(({ id, name, corpora }) => ({
        workspace: { id, name },
        known: corpora === null ? null : (JSON.parse(corpora) as CorpusRevisions),
      })),
    /** The corpora that a workspace sees now. */
    visible: (workspaceId: WorkspaceId): CorpusRevisions =>
      Object.fromEntries(visible.all(workspaceId).map(({ name, revision }) => [name, revision])),
    setCorpora(workspaceId: WorkspaceId, corpora: CorpusRevisions): void {
      setCorpora.run(workspaceId, JSON.stringify(corpora));
    },
    takeEventNumber(workspaceId: WorkspaceId): number {
      const number = takeNumber.get(workspaceId);
      if (number === undefined) throw new Error("an event got no number");
      return number;
    },
    lastEventNumber: (workspaceId: WorkspaceId): number => lastNumber.get(workspaceId) ?? 0,
  };
}
