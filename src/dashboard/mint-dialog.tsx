import { useState } from "preact/hooks";
import type { KeyScope, MintedKey, MintRequest } from "../wire/key.ts";
import { ask, Fault } from "./api.ts";
import { Dialog } from "./dialog.tsx";
import { FaultNotice } from "./fault-notice.tsx";
import { scopeTexts } from "./key-rights.tsx";
import { isExpiry, useSession } from "./session.ts";

/** Lifetimes to choose from, in the form of the API. "" means no expiry, "date" a day that the admin enters. */
const lifetimes = [
  { value: "", text: "never" },
  { value: "30d", text: "in 30 days" },
  { value: "90d", text: "in 90 days" },
  { value: "365d", text: "in a year" },
  { value: "date", text: "on a date" },
] as const;

const defaultScopes: readonly KeyScope[] = ["enrich", "watch"];

type MintDialogProps = { readonly onMinted: (key: MintedKey) => void; readonly onClose: () => void };

export function MintDialog({ onMinted, onClose }: MintDialogProps) {
  const { me, expire } = useSession();
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState(defaultScopes);
  const [addresses, setAddresses] = useState("");
  const [lifetime, setLifetime] = useState("");
  const [day, setDay] = useState("");
  const [fault, setFault] = useState<Fault | null>(null);
  const [isBusy, setBusy] = useState(false);

  const mint = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setFault(null);
    const body: MintRequest = {
      name,
      ...(lifetime === "date" ? { expires_at: `${day}T00:00:00Z` } : { expires_in: lifetime === "" ? null : lifetime }),
      scopes,
      allowed_ips: addresses.split(/[\s,]+/).filter((address) => address !== ""),
    };
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
          <select name="expires" value={lifetime} onChange={(event) => setLifetime(event.currentTarget.value)}>
            {lifetimes.map(({ value, text }) => (
              <option key={value} value={value}>
                {text}
              </option>
            ))}
          </select>
        </label>
        {lifetime !== "date" ? null : (
          <label class="field">
            <span>Stops working at the start of this day, UTC</span>
            <input type="date" name="day" value={day} onInput={(event) => setDay(event.currentTarget.value)} required />
          </label>
        )}
        <fieldset class="field">
          <legend>It may</legend>
          {scopeTexts.map(({ scope, text }) => (
            <label key={scope} class="check">
              <input
                type="checkbox"
                name={`scope-${scope}`}
                checked={scopes.includes(scope)}
                onChange={(event) => setScopes(withScope(scopes, scope, event.currentTarget.checked))}
              />
              {text}
            </label>
          ))}
        </fieldset>
        <label class="field">
          <span>Allowed addresses</span>
          <textarea
            name="addresses"
            rows={2}
            value={addresses}
            onInput={(event) => setAddresses(event.currentTarget.value)}
            autocomplete="off"
            spellcheck={false}
            placeholder="10.20.0.0/16"
            aria-describedby="addresses-hint"
          />
        </label>
        <p class="quiet small" id="addresses-hint">
          Addresses and networks that the key works from. Empty: any.
        </p>
        {fault === null ? null : <FaultNotice fault={fault} />}
        <div class="dialog-end">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="button primary" disabled={isBusy || name.trim() === "" || scopes.length === 0}>
            {isBusy ? "Minting…" : "Mint"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function withScope(scopes: readonly KeyScope[], scope: KeyScope, isWanted: boolean): readonly KeyScope[] {
  const others = scopes.filter((other) => other !== scope);
  return isWanted ? [...others, scope] : others;
}
