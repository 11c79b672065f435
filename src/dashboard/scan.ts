import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Envelope } from "../wire/envelope.ts";
import type { Evidence, EvidenceFinding } from "../wire/finding.ts";
import type { Accepted, EnrichRequest, ScanSources, ScanState, SourceRunBody } from "../wire/scan.ts";
import { ask, Fault } from "./api.ts";
import { isExpiry, useSession } from "./session.ts";

/** The state of a look-up. */
export type Look =
  | { readonly kind: "none" }
  | { readonly kind: "asking"; readonly value: string }
  | {
      readonly kind: "scanning";
      readonly value: string;
      readonly state: ScanState;
      readonly runs: readonly SourceRunBody[];
      readonly startedAt: number;
    }
  | { readonly kind: "failed"; readonly value: string; readonly runs: readonly SourceRunBody[] }
  | { readonly kind: "done"; readonly result: Result }
  | { readonly kind: "fault"; readonly value: string; readonly fault: Fault };

export type Result = {
  readonly envelope: Envelope;
  /** The envelope byte for byte, for copying. */
  readonly text: string;
  readonly digest: string | null;
  readonly findings: readonly EvidenceFinding[];
  readonly runs: readonly SourceRunBody[];
};

const path = "/dashboard/enrich";
const pollEveryMs = 400;

/** Looks up one address at a time. A new look-up stops following the previous one. */
export function useLook(): { look: Look; start: (value: string) => Promise<void> } {
  const { expire } = useSession();
  const [look, setLook] = useState<Look>({ kind: "none" });
  const current = useRef<AbortController | null>(null);
  useEffect(() => () => current.current?.abort(), []);

  const start = useCallback(
    async (value: string) => {
      current.current?.abort();
      const abort = new AbortController();
      current.current = abort;
      setLook({ kind: "asking", value });
      try {
        await run(value, abort.signal, setLook);
      } catch (error) {
        if (abort.signal.aborted || !(error instanceof Fault)) return;
        if (isExpiry(error)) expire();
        setLook({ kind: "fault", value, fault: error });
      }
    },
    [expire],
  );
  return { look, start };
}

async function run(value: string, signal: AbortSignal, show: (look: Look) => void): Promise<void> {
  const body: EnrichRequest = { indicator: { type: "email", value } };
  const first = await ask<Envelope | Accepted>(path, { method: "POST", body, signal });
  const { request_id: id } = first.body;
  if (first.body.status === "scanning") {
    const { value: canonical } = first.body.indicator;
    const last = await watch(id, canonical, signal, show);
    if (last.status === "failed") {
      show({ kind: "failed", value: canonical, runs: last.sources });
      return;
    }
  }
  const isStored = first.body.status === "completed";
  const [envelope, evidence, sources] = await Promise.all([
    isStored ? first : ask<Envelope>(`${path}/${id}`, { signal }),
    ask<Evidence>(`${path}/${id}/evidence`, { signal }),
    ask<ScanSources>(`${path}/${id}/sources`, { signal }),
  ]);
  show({
    kind: "done",
    result: {
      envelope: envelope.body as Envelope,
      text: envelope.text,
      digest: envelope.headers.get("X-Xpose-Exposure-Digest"),
      findings: evidence.body.findings,
      runs: sources.body.sources,
    },
  });
}

/** Follows a scan to its end, and shows each source as it finishes. */
async function watch(id: string, value: string, signal: AbortSignal, show: (look: Look) => void): Promise<ScanSources> {
  const startedAt = Date.now();
  for (;;) {
    const { body } = await ask<ScanSources>(`${path}/${id}/sources`, { signal });
    if (body.status === "completed" || body.status === "failed") return body;
    show({ kind: "scanning", value, state: body.status, runs: body.sources, startedAt });
    await new Promise((resolve) => setTimeout(resolve, pollEveryMs));
    signal.throwIfAborted();
  }
}
