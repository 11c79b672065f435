import type { Outcome, SourceErrorReason } from "../wire/source.ts";
import { Icon } from "./icon.tsx";

const outcomeText: Readonly<Record<Outcome, string>> = {
  ok: "findings",
  no_data: "no data",
  failed: "failed",
  skipped: "skipped",
};

/** Outcomes after a count of runs: "12 with findings". */
export const runText: Readonly<Record<Outcome, string>> = { ...outcomeText, ok: "with findings" };

/** A text for each reason (docs/contract.md 6.5). */
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
  tlp: "it is outside the perimeter, and the mark of the question forbids to ask it",
  internal: "an error of xpose, see the log",
};

/** The text for a reason. A page that stays open during an upgrade may get an unknown reason. */
export function explainError(error: SourceErrorReason | null): string {
  return (error === null ? undefined : errorText[error]) ?? "no reason was recorded";
}

/** The outcome of a source as a word with an icon, never by colour alone. */
export function OutcomeLabel({ outcome }: { outcome: Outcome }) {
  return (
    <span class={`outcome ${outcome}`}>
      {outcome === "failed" ? <Icon name="alert" /> : <i />}
      {outcomeText[outcome]}
    </span>
  );
}
