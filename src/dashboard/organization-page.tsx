import type { TargetedKeyboardEvent } from "preact";
import { useRef } from "preact/hooks";
import { ApiAccess } from "./api-access.tsx";
import { CommandLine } from "./command-line.tsx";
import { Foreign } from "./foreign.tsx";
import { formatCount } from "./format.ts";
import { Moment } from "./moment.tsx";
import { hrefOf, type Route } from "./route.ts";
import { useSession } from "./session.ts";

const tabs = [
  { rest: "api-access", title: "API Access (SIEM/SOAR)" },
  { rest: "workspace", title: "Workspace" },
] as const;

export function OrganizationPage({ route }: { route: Route }) {
  const open = tabs.find(({ rest }) => rest === route.rest) ?? tabs[0];
  const list = useRef<HTMLDivElement>(null);
  const move = (event: TargetedKeyboardEvent<HTMLDivElement>) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    const next = (tabs.indexOf(open) + step + tabs.length) % tabs.length;
    location.hash = hrefOf("organization", tabs[next]?.rest);
    list.current?.querySelectorAll<HTMLElement>("[role=tab]")[next]?.focus();
  };
  return (
    <>
      <h1>Organization</h1>
      <div class="tabs" role="tablist" aria-label="Organization" ref={list} onKeyDown={move}>
        {tabs.map((tab) => (
          <button
            type="button"
            role="tab"
            key={tab.rest}
            id={`tab-${tab.rest}`}
            aria-selected={tab === open}
            aria-controls="tab-panel"
            tabIndex={tab === open ? 0 : -1}
            onClick={() => {
              location.hash = hrefOf("organization", tab.rest);
            }}
          >
            {tab.title}
          </button>
        ))}
      </div>
      <div id="tab-panel" role="tabpanel" aria-labelledby={`tab-${open.rest}`}>
        {open.rest === "api-access" ? <ApiAccess /> : <WorkspaceFacts />}
      </div>
    </>
  );
}

function WorkspaceFacts() {
  const { me } = useSession();
  const { workspace, operator, rate_limit: limit } = me;
  return (
    <section class="card">
      <dl class="facts">
        <dt>Workspace</dt>
        <dd>
          <Foreign text={workspace.name} />
        </dd>
        <dt>Id</dt>
        <dd class="mono">{workspace.id}</dd>
        <dt>Plan</dt>
        <dd>{workspace.plan}</dd>
        <dt>Limit per API key</dt>
        <dd>{limit === null ? "no API access" : limitText(limit)}</dd>
        <dt>Logged in as</dt>
        <dd>
          <Foreign text={operator.name} /> ({operator.role}), operator since{" "}
          <Moment iso={operator.created_at} as="time" />
        </dd>
      </dl>
      <h2>Operators and plans are changed on the command line</h2>
      <p class="quiet">
        The page can mint no credential that opens the page. On the machine of the appliance, for this workspace:
      </p>
      <CommandLine text={`xpose operators create --name NAME --role viewer --workspace ${workspace.id}`} />
      <CommandLine text={`xpose workspaces set-plan ${workspace.id} enterprise`} />
    </section>
  );
}

function limitText({ limit, window_seconds: seconds }: { limit: number; window_seconds: number }): string {
  if (limit === 0) return "none";
  const window = seconds === 3600 ? "hour" : `${formatCount(seconds)} s`;
  return `${formatCount(limit)} requests per ${window}`;
}
