import { useState } from "preact/hooks";
import type { MintedKey, MintRequest } from "../wire/key.ts";
import { ask, Fault } from "./api.ts";
import { Dialog } from "./dialog.tsx";
import { FaultNotice } from "./fault-notice.tsx";
import { isExpiry, useSession } from "./session.ts";

/** Lifetimes to choose from, in days; 0 = no expiry. */
const lifetimes = [
  { days: 0, text: "never" },
  { days: 30, text: "in 30 days" },
  { days: 90, text: "in 90 days" },
  { days: 365, text: "in a year" },
] as const;

type MintDialogProps = { readonly onMinted: (key: MintedKey) => void; readonly onClose: () => void };

export function MintDialog({ onMinted, onClose }: MintDialogProps) {
  const { me, expire } = useSession();
  const [name, setName] = useState("");
  const [days, setDays] = useState(0);
  const [fault, setFault] = useState<Fault | null>(null);
  const [isBusy, setBusy] = useState(false);

  const mint = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setFault(null);
    const expiresAt = days === 0 ? null : new Date(Date.now() + days * 86_400_000).toISOString();
    const body: MintRequest = { name, expires_at: expiresAt };
    try {
      const path = `/workspaces/${me.workspace.id}/keys`;
      onMinted((await ask<MintedKey>(path, { method: "POST", body })).body);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      if (isExpiry(error)) expire();
      setFault(error);
      setBusy(false);
    }
  };

  return (
    <Dialog title="Mint a key" onDismiss={onClose}>
      <form onSubmit={mint}>
        <label class="field">
          <span>Name</span>
          <input
            name="name"
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
            maxLength={64}
            required
            autocomplete="off"
            placeholder="splunk-production"
            aria-describedby="name-hint"
          />
        </label>
        <p class="quiet small" id="name-hint">
          What will use it. Names of active keys differ; the name stays in the audit trail.
        </p>
        <label class="field">
          <span>Expires</span>
          <select value={days} onChange={(event) => setDays(Number(event.currentTarget.value))}>
            {lifetimes.map(({ days: value, text }) => (
              <option key={value} value={value}>
                {text}
              </option>
            ))}
          </select>
        </label>
        {fault === null ? null : <FaultNotice fault={fault} />}
        <div class="dialog-end">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="button primary" disabled={isBusy || name.trim() === ""}>
            {isBusy ? "Minting…" : "Mint"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
