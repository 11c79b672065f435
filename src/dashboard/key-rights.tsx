import type { KeyBody, KeyScope } from "../wire/key.ts";
import { Foreign } from "./foreign.tsx";

/** The meaning of each scope, in the words of the page. */
export const scopeTexts: readonly { readonly scope: KeyScope; readonly text: string }[] = [
  { scope: "enrich", text: "look addresses up and start scans" },
  { scope: "read", text: "get results that are there, and start nothing" },
  { scope: "watch", text: "manage watch lists and read events" },
];

/** The scopes of a key, and the networks that it works from. */
export function KeyRights({ apiKey }: { apiKey: Pick<KeyBody, "scopes" | "allowed_ips"> }) {
  const { scopes, allowed_ips: networks } = apiKey;
  const meaning = scopeTexts.filter(({ scope }) => scopes.includes(scope)).map(({ text }) => text);
  return (
    <>
      <span title={meaning.join("; ")}>{scopes.join(", ")}</span>
      <div class="quiet small">
        {networks.length === 0 ? (
          "from any address"
        ) : (
          <>
            from <Foreign text={networks.join(", ")} />
          </>
        )}
      </div>
    </>
  );
}
