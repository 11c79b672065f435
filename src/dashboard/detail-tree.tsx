import { Foreign } from "./foreign.tsx";

/** Deeper or longer values are summarized in a line. "Copy as JSON" copies everything. */
const maxDepth = 6;
const maxEntries = 200;

/** The details of a source, with the source's own names. They are shown without interpretation. */
export function DetailTree({ value, depth = 0 }: { value: unknown; depth?: number }) {
  if (value === null || typeof value !== "object") return <Foreign text={String(value)} />;
  const entries = Object.entries(value);
  if (entries.length === 0) return <span class="quiet">{depth === 0 ? "The source gave no details." : "none"}</span>;
  if (depth >= maxDepth) return <span class="quiet">{entries.length} more, see the JSON</span>;
  const isFlat = Array.isArray(value) && value.every((entry) => entry === null || typeof entry !== "object");
  if (isFlat) return <Foreign text={value.slice(0, maxEntries).map(String).join(", ")} />;
  return (
    <dl class="facts small">
      {entries.slice(0, maxEntries).map(([name, entry]) => (
        <DetailEntry key={name} name={name} entry={entry} depth={depth} />
      ))}
      {entries.length > maxEntries ? <dd class="quiet">{entries.length - maxEntries} more, see the JSON</dd> : null}
    </dl>
  );
}

function DetailEntry({ name, entry, depth }: { name: string; entry: unknown; depth: number }) {
  return (
    <>
      <dt>
        <Foreign text={name.replaceAll("_", " ")} />
      </dt>
      <dd>
        <DetailTree value={entry} depth={depth + 1} />
      </dd>
    </>
  );
}
