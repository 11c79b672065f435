import type { LookupContext } from "../../src/sources/source.ts";
import { noCatalogue } from "./no-catalogue.ts";

type Given<Settings> = Pick<LookupContext<Settings>, "settings"> &
  Partial<LookupContext<Settings>> & { readonly timeoutMs?: number };

/** The context of a look-up of 5 s: no list of breaches, and only the network access that the test provides. */
export function lookupContext<Settings>({ timeoutMs = 5_000, ...given }: Given<Settings>): LookupContext<Settings> {
  const refuse = () => Promise.reject(new Error("a way out that this test did not give"));
  return {
    name: "tested",
    baseUrl: null,
    apiKey: null,
    http: { request: refuse },
    child: { run: refuse },
    catalogue: noCatalogue,
    signal: AbortSignal.timeout(timeoutMs),
    deadline: new Date(Date.now() + timeoutMs),
    ...given,
  };
}
