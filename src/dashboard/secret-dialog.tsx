import { useEffect } from "preact/hooks";
import type { KeyBody, MintedKey } from "../wire/key.ts";
import { CommandLine } from "./command-line.tsx";
import { CopyButton } from "./copy-button.tsx";
import { Dialog } from "./dialog.tsx";
import { Foreign } from "./foreign.tsx";
import { Icon } from "./icon.tsx";

type SecretDialogProps = {
  readonly minted: MintedKey;
  /** The replaced key after a rotation; else null. */
  readonly old: KeyBody | null;
  readonly onClose: () => void;
};

/** Shows the plaintext of a key, only once. Only its button closes it: a slip on the Escape key would lose the key. */
export function SecretDialog({ minted, old, onClose }: SecretDialogProps) {
  useEffect(() => {
    // Leaving or reloading the page would lose the key too, so let the browser ask first.
    const ask = (event: Event) => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, []);
  return (
    <Dialog title={old === null ? "The new key" : "The key after the rotation"} onDismiss={null}>
      <p>
        <strong>
          <Foreign text={minted.name} />
        </strong>{" "}
        {old === null ? "works from now on." : `replaces ${old.prefix}…, which no longer works.`}
      </p>
      <div class="secret">
        <code data-secret>{minted.key}</code>
        <CopyButton text={minted.key} label="Copy key" isPrimary />
      </div>
      <p class="notice warn">
        <Icon name="alert" />
        <span>
          This is the only time the key is shown. When this dialog closes it is gone for good: xpose keeps a keyed hash
          of it and nothing else. A lost key is replaced by rotating it.
        </span>
      </p>
      <h3>Try it</h3>
      <CommandLine text={curlLine(minted)} label="Copy curl line" />
      <div class="dialog-end">
        <button type="button" class="button" onClick={onClose}>
          I have stored it, close
        </button>
      </div>
    </Dialog>
  );
}

/** A look-up, or for a key that starts no scans the question of what it may do: that never fails for want of a result. */
function curlLine({ key, scopes }: MintedKey): string {
  if (!scopes.includes("enrich")) return `curl ${location.origin}/api/v1/soc/whoami \\\n  -H "X-API-Key: ${key}"`;
  const body = '{"indicator":{"type":"email","value":"jane.doe@example.com"}}';
  return [
    `curl -X POST ${location.origin}/api/v1/soc/enrich`,
    `-H "X-API-Key: ${key}"`,
    '-H "Content-Type: application/json" -H "Prefer: wait=10"',
    `-d '${body}'`,
  ].join(" \\\n  ");
}
