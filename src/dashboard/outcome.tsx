import type { Outcome, SourceErrorReason } from "../wire/source.ts";
import { Icon } from "./icon.tsx";

export const outcomeText: Readonly<Record<Outcome, string>> = {
  ok: "findings",
  no_data: "no data",
  failed: "failed",
  skipped: "skipped",
};

/** The same after a count of runs: "12 with findings". */
export const runText: Readonly<Record<Outcome, string>> = { ...outcomeText, ok: "with findings" };

/** Each reason in words for the page (docs/contract.md 6.5). */
const errorText: Readonly<Record<SourceErrorReason, string>> = {
  not_configured: "its API is not open to this installation",
  auth: "it refused the configured key",
  rate_limited: "its quota is used up for now",
  timeout: "no answer in time",
  unreachable: "no connection",
  tls: "no TLS with it that can be trusted",
  http_4xx: "it refused the request",
  http_5xx: "it has a fault of its own",
  redirect: "it points elsewhere, which is never followed",
  too_large: "its answer is too large",
  bad_answer: "its answer is not what it should be",
  not_installed: "its program is not installed",
  unsupported: "it cannot be asked about such an address",
  internal: "an error of xpose, see the log",
};

/** A page that stays open over an upgrade may be told a reason that it does not know. */
export function explainError(error: SourceErrorReason | null): string {
  return (error === null ? undefined : errorText[error]) ?? "no reason was recorded";
}

/** How a source ended, as a word with a shape, never by colour alone. */
export function OutcomeLabel({ outcome }: { outcome: Outcome }) {
  return (
    <span class={`outcome ${outcome}`}>
      {outcome === "failed" ? <Icon name="alert" /> : <i />}
      {outcomeText[outcome]}
    </span>
  );
}
