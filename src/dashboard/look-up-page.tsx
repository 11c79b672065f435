import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { SourceRunBody } from "../wire/scan.ts";
import type { SourceList } from "../wire/source.ts";
import { useData } from "./data.ts";
import { EmptyState } from "./empty-state.tsx";
import { ExposureView } from "./exposure-view.tsx";
import { FaultNotice } from "./fault-notice.tsx";
import { Foreign } from "./foreign.tsx";
import { Icon } from "./icon.tsx";
import { RunList } from "./run-list.tsx";
import { type Look, useLook } from "./scan.ts";
import { useSession } from "./session.ts";

/** The form, the progress of the scan, and the evidence. The email address never appears in the address bar. */
export function LookUpPage() {
  const { me } = useSession();
  const [value, setValue] = useState("");
  const { look, start } = useLook();
  const configured = useData<SourceList>("/dashboard/sources");
  const field = useRef<HTMLInputElement>(null);
  // Focus the input, because the visitor comes here to type.
  useLayoutEffect(() => field.current?.focus(), []);
  const isBusy = look.kind === "asking" || look.kind === "scanning";
  const submit = (event: Event) => {
    event.preventDefault();
    void start(value);
  };
  const names = configured.body?.sources.map(({ name }) => name) ?? [];
  return (
    <>
      <h1>Look-up</h1>
      {me.api_access ? null : (
        <p class="notice warn" role="status">
          <Icon name="alert" />
          <span>Look-ups need plan team or above; this workspace is on plan {me.workspace.plan}.</span>
        </p>
      )}
      <form class="search" onSubmit={submit}>
        <label class="unseen" for="address">
          Email address
        </label>
        <input
          ref={field}
          id="address"
          type="text"
          inputMode="email"
          value={value}
          onInput={(event) => setValue(event.currentTarget.value)}
          placeholder="jane.doe@example.com"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          required
        />
        <button type="submit" class="button primary" disabled={!me.api_access || value.trim() === ""}>
          <Icon name="look-up" />
          Look up
        </button>
      </form>
      <div aria-live="polite" aria-busy={isBusy}>
        <LookView look={look} names={names} />
      </div>
    </>
  );
}

function LookView({ look, names }: { look: Look; names: readonly string[] }) {
  switch (look.kind) {
    case "none":
      return (
        <section class="card">
          <EmptyState icon="look-up" title="What does the internet expose about an address?">
            <p>
              {names.length === 0
                ? "Enable a source or import a breach corpus first: without a source every scan fails."
                : `Type an address above. ${names.length === 1 ? "One source is" : `${names.length} sources are`} asked, unless there is a recent result.`}
            </p>
          </EmptyState>
        </section>
      );
    case "asking":
      return <p class="quiet">Asking…</p>;
    case "scanning":
      return (
        <section class="card" aria-label="Scan">
          <div class="row spread">
            <h2>
              {look.state === "queued" ? "Waiting to scan" : "Scanning"} <Foreign text={look.value} />
            </h2>
            <span class="quiet">
              {look.runs.length} of {Math.max(names.length, look.runs.length)} sources have ended
            </span>
          </div>
          <RunList runs={look.runs} waiting={waiting(names, look.runs)} />
        </section>
      );
    case "failed":
      return (
        <>
          <div class="notice bad" role="alert">
            <Icon name="alert" />
            <div>
              <p>
                <strong>
                  The scan of <Foreign text={look.value} /> failed: no source answered.
                </strong>
              </p>
              <p>This scan gives no information about the address. The next look-up starts a new scan.</p>
            </div>
          </div>
          <section class="card" aria-label="Sources of this scan">
            <h2>Sources</h2>
            {look.runs.length === 0 ? (
              <p class="quiet">
                No source is enabled for this workspace. <a href="#/sources">How to enable one</a>
              </p>
            ) : (
              <RunList runs={look.runs} waiting={[]} />
            )}
          </section>
        </>
      );
    case "fault":
      return <FaultNotice fault={look.fault} />;
    case "done":
      return <ExposureView result={look.result} />;
  }
}

function waiting(names: readonly string[], runs: readonly SourceRunBody[]): string[] {
  const ended = new Set(runs.map(({ source }) => source));
  return names.filter((name) => !ended.has(name));
}
