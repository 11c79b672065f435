import type { CorpusBody, CorpusList } from "../wire/corpus.ts";
import { CommandLine } from "./command-line.tsx";
import { useData } from "./data.ts";
import { EmptyState } from "./empty-state.tsx";
import { FaultNotice } from "./fault-notice.tsx";
import { Foreign, foreignLabel } from "./foreign.tsx";
import { formatBytes, formatCount, plural } from "./format.ts";
import { Moment } from "./moment.tsx";
import { Reliability } from "./reliability.tsx";

export function CorporaPage() {
  const { body, fault, reload } = useData<CorpusList>("/dashboard/corpora");
  const corpora = body?.corpora ?? [];
  const records = corpora.reduce((sum, corpus) => sum + corpus.records, 0);
  return (
    <>
      <h1>Corpora</h1>
      <p class="quiet lead">
        Breach files that were imported once and are looked up without a network. Addresses are kept as keyed hashes;
        passwords and every other column are dropped at import.
      </p>
      {fault === null ? null : <FaultNotice fault={fault} retry={() => void reload()} />}
      {body === null ? null : corpora.length === 0 ? (
        <section class="card">
          <EmptyState icon="corpora" title="No breach corpus yet">
            <p>
              CSV with a header, JSON Lines and the usual leak formats are read, plain or compressed. Import the first
              one below.
            </p>
          </EmptyState>
        </section>
      ) : (
        <>
          <p class="quiet">
            {plural(corpora.length, "corpus", "corpora")}, {plural(records, "record")}
          </p>
          {corpora.map((corpus) => (
            <CorpusCard key={corpus.name} corpus={corpus} />
          ))}
        </>
      )}
      <section class="card">
        <h2>Import a file</h2>
        <p class="quiet">
          Importing stays on the command line of the appliance, also while the service runs. The name becomes the source
          of its findings; the import is all or nothing.
        </p>
        <CommandLine text="xpose corpus import FILE --name NAME" />
        <details>
          <summary>More commands</summary>
          <CommandLine text="xpose corpus import FILE --name NAME --title TITLE --date 2024-05 --scope WORKSPACE" />
          <CommandLine text="xpose corpus verify" />
          <CommandLine text="xpose corpus remove NAME" />
        </details>
      </section>
    </>
  );
}

function CorpusCard({ corpus }: { corpus: CorpusBody }) {
  const { name, scope, confidence, origin, records, bytes, imports } = corpus;
  return (
    <section class="card flush" aria-label={`Corpus ${foreignLabel(name)}`}>
      <div class="row spread card-head">
        <h2>
          <Foreign text={name} />
        </h2>
        <div class="row">
          <Reliability confidence={confidence} />
          <span class="tag">{scope === "all" ? "every workspace" : "this workspace only"}</span>
        </div>
      </div>
      <p class="card-line quiet">
        {plural(records, "record")}, at most {formatBytes(bytes)} on disk, origin <Foreign text={origin} />, newest
        import <Moment iso={imports.at(-1)?.imported_at ?? null} as="age" absent="none" />
      </p>
      <div class="table-frame">
        <table>
          <thead>
            <tr>
              <th scope="col">File</th>
              <th scope="col">Format</th>
              <th scope="col" class="number">
                Records
              </th>
              <th scope="col" class="number">
                Read
              </th>
              <th scope="col">Imported</th>
              <th scope="col">By</th>
              <th scope="col">SHA-256 of the file</th>
            </tr>
          </thead>
          <tbody>
            {imports.map((entry) => (
              <tr key={entry.sha256}>
                <th scope="row">
                  <Foreign text={entry.file_name} />
                </th>
                <td>
                  <Foreign text={entry.format} />
                </td>
                <td class="number">{formatCount(entry.records)}</td>
                <td class="number">{formatCount(entry.read)}</td>
                <td>
                  <Moment iso={entry.imported_at} as="time" />
                </td>
                <td>
                  <Foreign text={entry.importer} />
                </td>
                <td class="mono small break">
                  <Foreign text={entry.sha256} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
