import { Fragment } from "preact";
import { useState } from "preact/hooks";
import type { EvidenceFinding } from "../wire/finding.ts";
import { CopyButton } from "./copy-button.tsx";
import { DetailTree } from "./detail-tree.tsx";
import { Foreign, ForeignList, foreignLabel } from "./foreign.tsx";
import { plural } from "./format.ts";
import { Icon } from "./icon.tsx";
import { Moment } from "./moment.tsx";
import { Reliability } from "./reliability.tsx";

/** Number of rows shown at first; a source may return a thousand. */
const step = 100;

/** Findings in the order of the envelope. Reliability and corroboration have separate columns; never mix them. */
export function FindingTable({ findings }: { findings: readonly EvidenceFinding[] }) {
  const [open, setOpen] = useState<ReadonlySet<EvidenceFinding>>(new Set());
  const [limit, setLimit] = useState(step);
  const toggle = (finding: EvidenceFinding) => {
    const next = new Set(open);
    if (!next.delete(finding)) next.add(finding);
    setOpen(next);
  };
  return (
    <>
      <div class="table-frame">
        <table class="findings">
          <thead>
            <tr>
              <th scope="col">
                <span class="unseen">Details</span>
              </th>
              <th scope="col">Severity</th>
              <th scope="col">Finding</th>
              <th scope="col">Source</th>
              <th scope="col">Source reliability</th>
              <th scope="col">Corroborated by</th>
              <th scope="col">First and last seen</th>
            </tr>
          </thead>
          <tbody>
            {findings.slice(0, limit).map((finding, index) => {
              const isOpen = open.has(finding);
              const id = `finding-${index}`;
              return (
                <Fragment key={id}>
                  <tr>
                    <td>
                      <button
                        type="button"
                        class={isOpen ? "button plain icon-only turned" : "button plain icon-only"}
                        aria-expanded={isOpen}
                        aria-controls={id}
                        aria-label={`Details of ${foreignLabel(finding.title)}`}
                        onClick={() => toggle(finding)}
                      >
                        <Icon name="chevron" />
                      </button>
                    </td>
                    <td>
                      <span class={`severity ${finding.severity}`}>{finding.severity}</span>
                    </td>
                    <th scope="row" class="title-cell">
                      <Foreign text={finding.title} />
                      <div class="quiet small">
                        <Foreign text={finding.category} />
                        {finding.subject === null ? null : (
                          <>
                            {" · "}
                            <Foreign text={finding.subject} />
                          </>
                        )}
                      </div>
                    </th>
                    <td>
                      <Foreign text={finding.source} />
                      <Provenance url={finding.source_url} />
                    </td>
                    <td>
                      <Reliability confidence={finding.source_confidence} />
                    </td>
                    <td>
                      <Corroboration finding={finding} />
                    </td>
                    <td>
                      <Moment iso={finding.first_seen} as="time" />
                      <div>
                        <Moment iso={finding.last_seen} as="time" />
                      </div>
                    </td>
                  </tr>
                  {isOpen ? (
                    <tr id={id} class="detail-row">
                      <td />
                      <td colSpan={6}>
                        <Details finding={finding} />
                      </td>
                    </tr>
                  ) : null}
                </Fragment>
              );
            })}
          </tbody>
        </table>
      </div>
      {findings.length > limit ? (
        <p class="card-foot">
          <button type="button" class="button" onClick={() => setLimit(limit + step)}>
            Show more ({findings.length - limit} left)
          </button>
        </p>
      ) : null}
    </>
  );
}

/** A link for an https URL; plain text for any other URL. */
function Provenance({ url }: { url: string | null }) {
  if (url === null) return null;
  const parsed = URL.parse(url);
  if (parsed?.protocol !== "https:") {
    return (
      <div class="small quiet break">
        <Foreign text={url} />
      </div>
    );
  }
  return (
    <div class="small provenance">
      <a href={parsed.href} target="_blank" rel="noreferrer noopener" title={foreignLabel(parsed.href)}>
        <span>
          <Foreign text={parsed.hostname} />
        </span>
        <Icon name="external" />
        <span class="unseen">(opens a new tab)</span>
      </a>
    </div>
  );
}

function Corroboration({ finding: { corroboration_count: count, corroborated_by: by } }: { finding: EvidenceFinding }) {
  if (count === 0) return <span class="quiet">no other</span>;
  return (
    <>
      <strong>{plural(count, "other")}</strong>
      <div class="quiet small">
        <ForeignList texts={by} />
        {count > by.length ? ` and ${count - by.length} more` : ""}
      </div>
    </>
  );
}

function Details({ finding }: { finding: EvidenceFinding }) {
  return (
    <>
      <DetailTree value={finding.details} />
      <dl class="facts small">
        <dt>Answered</dt>
        <dd>
          <Moment iso={finding.answered_at} as="time" /> UTC
        </dd>
        <dt>SHA-256 of the answer</dt>
        <dd class="mono break">
          <Foreign text={finding.answer_sha256} />
        </dd>
      </dl>
      <CopyButton text={JSON.stringify(finding, null, 2)} label="Copy finding as JSON" />
    </>
  );
}
