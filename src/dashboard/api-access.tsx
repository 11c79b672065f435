import { useState } from "preact/hooks";
import type { Budgets, KeyBody, KeyList, MintedKey } from "../wire/key.ts";
import { CommandLine } from "./command-line.tsx";
import { ConfirmKeyDialog } from "./confirm-key-dialog.tsx";
import { useData } from "./data.ts";
import { EmptyState } from "./empty-state.tsx";
import { FaultNotice } from "./fault-notice.tsx";
import { formatCount, plural } from "./format.ts";
import { Icon } from "./icon.tsx";
import { KeyTable } from "./key-table.tsx";
import { MintDialog } from "./mint-dialog.tsx";
import { SecretDialog } from "./secret-dialog.tsx";
import { useSession } from "./session.ts";

/** The open dialog. The plaintext of a key is held only here, until the dialog closes. */
type Open =
  | { readonly kind: "mint" }
  | { readonly kind: "rotate" | "revoke"; readonly key: KeyBody }
  | { readonly kind: "secret"; readonly key: MintedKey; readonly old: KeyBody | null };

/** The tab "API Access (SIEM/SOAR)": the keys of the workspace (docs/contract.md 9). */
export function ApiAccess() {
  const { me } = useSession();
  return me.operator.role === "admin" ? <Keys /> : <ViewerNotice />;
}

function Keys() {
  const { me } = useSession();
  const [isShowingAll, setShowingAll] = useState(false);
  const [open, setOpen] = useState<Open | null>(null);
  // No polling here: an expired session must not close the dialog with a plaintext that is being copied.
  const keys = useData<KeyList>(`/workspaces/${me.workspace.id}/keys?limit=200`);
  const budgets = useData<Budgets>("/dashboard/budgets");
  const close = () => {
    setOpen(null);
    void keys.reload();
    void budgets.reload();
  };
  const all = keys.body?.keys ?? [];
  const active = all.filter(({ status }) => status === "active");
  const shown = isShowingAll ? all : active;

  return (
    <>
      {me.api_access ? null : <PlanNotice />}
      <div class="row spread toolbar">
        <p class="quiet">
          A key lets a SIEM or SOAR ask this workspace for evidence
          {me.rate_limit === null ? "" : limitText(me.rate_limit.limit)}.
        </p>
        <button
          type="button"
          class="button primary"
          disabled={!me.api_access}
          onClick={() => setOpen({ kind: "mint" })}
        >
          <Icon name="plus" />
          Mint a key
        </button>
      </div>
      {keys.fault === null ? null : <FaultNotice fault={keys.fault} retry={() => void keys.reload()} />}
      {keys.body === null ? null : (
        <section class="card flush" aria-label="API keys">
          <div class="row spread card-head">
            <h2>{plural(active.length, "active key")}</h2>
            <label class="check">
              <input
                type="checkbox"
                checked={isShowingAll}
                onChange={(event) => setShowingAll(event.currentTarget.checked)}
              />
              Show revoked and expired ({formatCount(all.length - active.length)})
            </label>
          </div>
          {shown.length === 0 ? (
            <NoKeys hasOld={all.length > 0} isOpen={me.api_access} />
          ) : (
            <KeyTable
              keys={shown}
              all={all}
              budgets={budgets.body}
              canRotate={me.api_access}
              onRotate={(key) => setOpen({ kind: "rotate", key })}
              onRevoke={(key) => setOpen({ kind: "revoke", key })}
            />
          )}
          {keys.body.next_cursor === null ? null : (
            <p class="card-foot quiet small">The newest 200 keys. Older ones: xpose keys list.</p>
          )}
        </section>
      )}
      {open?.kind === "mint" ? (
        <MintDialog onMinted={(key) => setOpen({ kind: "secret", key, old: null })} onClose={() => setOpen(null)} />
      ) : null}
      {open?.kind === "rotate" || open?.kind === "revoke" ? (
        <ConfirmKeyDialog
          action={open.kind}
          apiKey={open.key}
          onRotated={(key) => setOpen({ kind: "secret", key, old: open.key })}
          onDone={close}
          onClose={() => setOpen(null)}
        />
      ) : null}
      {open?.kind === "secret" ? <SecretDialog minted={open.key} old={open.old} onClose={close} /> : null}
    </>
  );
}

function NoKeys({ hasOld, isOpen }: { hasOld: boolean; isOpen: boolean }) {
  return (
    <EmptyState icon="organization" title={hasOld ? "No key is active" : "No key yet"}>
      <p>
        {isOpen
          ? "Mint a key and put it into your SIEM or SOAR. It works immediately."
          : "Keys can be minted once the plan of this workspace allows API access."}
      </p>
    </EmptyState>
  );
}

function PlanNotice() {
  const { me } = useSession();
  const { id, plan } = me.workspace;
  return (
    <div class="notice warn" role="status">
      <Icon name="alert" />
      <div>
        <p>
          <strong>API access needs plan team or above.</strong> This workspace is on plan {plan}: its keys are answered
          403 plan_required, and none can be minted or rotated. Keys can still be revoked. To change the plan, on the
          machine of the appliance:
        </p>
        <CommandLine text={`xpose workspaces set-plan ${id} team`} />
      </div>
    </div>
  );
}

function ViewerNotice() {
  return (
    <section class="card">
      <EmptyState icon="organization" title="Keys are managed by admins">
        <p>
          You are logged in as a viewer: you see everything except keys. Ask an admin of this workspace to mint, rotate
          or revoke a key. Changes to keys are in the <a href="#/audit">audit trail</a>.
        </p>
      </EmptyState>
    </section>
  );
}

function limitText(limit: number): string {
  return limit === 0 ? ", without a limit" : `, up to ${formatCount(limit)} requests an hour per key`;
}
