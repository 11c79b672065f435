import { useState } from "preact/hooks";
import type { KeyBody, MintedKey } from "../wire/key.ts";
import { ask, Fault } from "./api.ts";
import { Dialog } from "./dialog.tsx";
import { FaultNotice } from "./fault-notice.tsx";
import { Foreign } from "./foreign.tsx";
import { formatAge, formatTime } from "./format.ts";
import { isExpiry, useSession } from "./session.ts";

type ConfirmKeyDialogProps = {
  readonly action: "rotate" | "revoke";
  readonly apiKey: KeyBody;
  readonly onRotated: (key: MintedKey) => void;
  readonly onDone: () => void;
  readonly onClose: () => void;
};

/** Asks for confirmation before a key is rotated or revoked. Shows its name and last use. */
export function ConfirmKeyDialog({ action, apiKey, onRotated, onDone, onClose }: ConfirmKeyDialogProps) {
  const { me, expire } = useSession();
  const [fault, setFault] = useState<Fault | null>(null);
  const [isBusy, setBusy] = useState(false);
  const isRotation = action === "rotate";

  const confirm = async () => {
    setBusy(true);
    setFault(null);
    const path = `/workspaces/${me.workspace.id}/keys/${apiKey.id}`;
    try {
      if (isRotation) onRotated((await ask<MintedKey>(`${path}/rotate`, { method: "POST" })).body);
      else {
        await ask(path, { method: "DELETE" });
        onDone();
      }
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      if (isExpiry(error)) expire();
      setFault(error);
      setBusy(false);
    }
  };

  return (
    <Dialog title={isRotation ? "Rotate this key?" : "Revoke this key?"} onDismiss={onClose}>
      <dl class="facts">
        <dt>Key</dt>
        <dd>
          <strong>
            <Foreign text={apiKey.name} />
          </strong>{" "}
          <span class="mono quiet">
            <Foreign text={apiKey.prefix} />…
          </span>
        </dd>
        <dt>Last used</dt>
        <dd>
          {apiKey.last_used_at === null
            ? "never"
            : `${formatAge(apiKey.last_used_at)} (${formatTime(apiKey.last_used_at)} UTC)`}
        </dd>
      </dl>
      <p>
        {isRotation
          ? "The old key stops working with the next request. A new key with the same name, expiry, scopes, allowed addresses and limit replaces it. The new key is shown only once. It can poll scans that the old key started."
          : "The key stops working with the next request. This cannot be undone. Scans that it started go on, and the audit trail keeps its name."}
      </p>
      {fault === null ? null : <FaultNotice fault={fault} />}
      <div class="dialog-end">
        <button type="button" class="button" onClick={onClose}>
          Cancel
        </button>
        <button
          type="button"
          class={isRotation ? "button primary" : "button primary danger"}
          disabled={isBusy}
          onClick={confirm}
        >
          {isRotation ? "Rotate" : "Revoke"}
        </button>
      </div>
    </Dialog>
  );
}
