import { type Author, auditEvent } from "../../domain/audit.ts";
import { AppError } from "../../domain/error.ts";
import { foldName, type Plan, type Workspace, type WorkspaceId } from "../../domain/workspace.ts";
import { namedChange, newWorkspaceFault, type WorkspaceChange } from "../../domain/workspace-change.ts";
import type { WorkspaceStore } from "../port/workspace.ts";
import type { auditTable } from "./audit.ts";
import type { subjectTable } from "./audit-subject.ts";
import type { Connection } from "./driver.ts";
import type { operatorTable } from "./operator.ts";
import { toDate } from "./time.ts";
import type { Transactions } from "./transactions.ts";

export type WorkspaceRow = { id: WorkspaceId; name: string; plan: Plan; disabled_at: number | null };

const columns = "id, name, plan, disabled_at";

export function workspaceTable(
  connection: Connection,
  audit: Pick<ReturnType<typeof auditTable>, "append">,
  subjects: Pick<ReturnType<typeof subjectTable>, "of">,
) {
  const insert = connection.prepare(
    "INSERT INTO workspace (id, name, folded_name, plan, disabled_at, corpora_revision) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const byId = connection.prepare<[string], WorkspaceRow>(`SELECT ${columns} FROM workspace WHERE id = ?`);
  const byName = connection.prepare<[string], WorkspaceRow>(`SELECT ${columns} FROM workspace WHERE folded_name = ?`);
  const all = connection.prepare<[], WorkspaceRow>(`SELECT ${columns} FROM workspace ORDER BY folded_name`);
  const setPlan = connection.prepare("UPDATE workspace SET plan = ? WHERE id = ?");
  const setDisabled = connection.prepare("UPDATE workspace SET disabled_at = ? WHERE id = ?");

  function find(idOrName: string): Workspace | null {
    const row = byId.get(idOrName) ?? byName.get(foldName(idOrName));
    return row === undefined ? null : toWorkspace(row);
  }

  return {
    find,
    insert(workspace: Workspace, by: Author): void {
      const foldedName = foldName(workspace.name);
      const named = byName.get(foldedName);
      const fault = newWorkspaceFault(named === undefined ? null : toWorkspace(named));
      if (fault !== null) throw fault;
      const disabledAt = workspace.disabledAt?.getTime() ?? null;
      insert.run(workspace.id, workspace.name, foldedName, workspace.plan, disabledAt, "");
      const { id: workspaceId, plan } = workspace;
      const created = subjects.of("workspace", [workspaceId]);
      audit.append([auditEvent(by, "workspace.created", { workspaceId, detail: plan, subjects: created })]);
    },
    change(id: WorkspaceId, change: WorkspaceChange, by: Author): Workspace {
      if ("plan" in change) setPlan.run(change.plan, id);
      else setDisabled.run(change.disabledAt?.getTime() ?? null, id);
      const workspace = find(id);
      if (workspace === null) throw new AppError("not_found", "There is no such workspace");
      const { action, detail } = namedChange(change);
      const changed = subjects.of("workspace", [id]);
      audit.append([auditEvent(by, action, { workspaceId: id, detail, subjects: changed })]);
      return workspace;
    },
    list: (): Workspace[] => all.all().map(toWorkspace),
  };
}

export function workspaceStore(
  { read, write, writeUrgently }: Transactions,
  workspaces: () => ReturnType<typeof workspaceTable>,
  operators: () => Pick<ReturnType<typeof operatorTable>, "insert">,
): WorkspaceStore {
  return {
    insertWorkspace: (workspace, firstOperator, by) =>
      write(() => {
        workspaces().insert(workspace, by);
        if (firstOperator !== null) operators().insert(firstOperator, by);
      }),
    changeWorkspace: (...args) => writeUrgently(() => workspaces().change(...args)),
    findWorkspace: (idOrName) => read(() => workspaces().find(idOrName)),
    listWorkspaces: () => read(() => workspaces().list()),
  };
}

function toWorkspace(row: WorkspaceRow): Workspace {
  return { id: row.id, name: row.name, plan: row.plan, disabledAt: toDate(row.disabled_at) };
}
