import { ConnectorError } from "../connectors/error.ts";
import { cellsIn, recordsIn } from "./lookup-rows.ts";
import { type FoundRow, severityCounts } from "./lookup-service.ts";

/** Columns that an external lookup of Splunk fills, in the order of `transforms.conf`. */
const columns = [
  "xpose_status",
  "xpose_total",
  "xpose_high",
  "xpose_medium",
  "xpose_low",
  "xpose_sources_failed",
  "xpose_digest",
  "xpose_request_id",
] as const;

type Filled = Readonly<Record<(typeof columns)[number], string>>;

const nothing: Filled = {
  xpose_status: "",
  xpose_total: "",
  xpose_high: "",
  xpose_medium: "",
  xpose_low: "",
  xpose_sources_failed: "",
  xpose_digest: "",
  xpose_request_id: "",
};

/** Distinct addresses of one call. */
const perCall = 1000;

/** The header has no column `email`. */
export class NoAddressColumn extends Error {}

/**
 * Reads a table of Splunk and writes the same rows in the same order, with the known columns filled where they are empty.
 * `ask` gets distinct addresses. Returns null, or why the service could not be asked: then every row that it was not asked
 * about says `error` and holds no number. Throws `NoAddressColumn`.
 */
export async function fillRows(
  text: AsyncIterable<Uint8Array>,
  ask: (addresses: readonly string[]) => Promise<readonly FoundRow[]>,
  write: (text: string) => void,
): Promise<string | null> {
  const records = recordsIn(text, true);
  const first = await records.next();
  if (first.done === true) return null;
  const names = cellsIn(first.value.replace(/^\uFEFF/, ""), ",").map((name) => name.trim());
  const emailAt = names.indexOf("email");
  if (emailAt === -1) throw new NoAddressColumn("the input has no column email");
  write(`${first.value}\n`);
  let failure: string | null = null;
  let waiting: string[][] = [];
  const addresses = new Set<string>();

  async function flush(): Promise<void> {
    const found = new Map<string, Filled>();
    if (failure === null && addresses.size > 0) {
      const asked = [...addresses];
      try {
        for (const [index, row] of (await ask(asked)).entries()) found.set(asked[index] ?? "", filledBy(row));
      } catch (error) {
        if (!(error instanceof ConnectorError)) throw error;
        failure = error.message;
      }
    }
    const other: Filled = { ...nothing, xpose_status: "error" };
    const lines = waiting.map((cells) => {
      const address = (cells[emailAt] ?? "").trim();
      const filled = address === "" ? { ...nothing, xpose_status: "invalid" } : (found.get(address) ?? other);
      return `${names.map((name, at) => cellText(cells[at] || filledCell(filled, name))).join(",")}\n`;
    });
    write(lines.join(""));
    waiting = [];
    addresses.clear();
  }

  for await (const record of records) {
    if (record === "") continue;
    const cells = cellsIn(record, ",");
    waiting.push(cells);
    const address = (cells[emailAt] ?? "").trim();
    if (address !== "") addresses.add(address);
    if (addresses.size === perCall || waiting.length === perCall * 10) await flush();
  }
  await flush();
  return failure;
}

function filledBy({ status, total, failed_sources, digest, request_id, envelope }: FoundRow): Filled {
  const shown = status === "scanning" ? "pending" : status;
  if (status !== "completed" || envelope === null) {
    return { ...nothing, xpose_status: shown, xpose_request_id: "" };
  }
  const { high, medium, low } = severityCounts(envelope.exposure.by_severity);
  return {
    xpose_status: shown,
    xpose_total: String(total ?? ""),
    xpose_high: String(high ?? ""),
    xpose_medium: String(medium ?? ""),
    xpose_low: String(low ?? ""),
    xpose_sources_failed: failed_sources.join(" "),
    xpose_digest: digest ?? "",
    xpose_request_id: request_id ?? "",
  };
}

function filledCell(filled: Filled, name: string): string {
  const known = columns.find((column) => column === name);
  return known === undefined ? "" : filled[known];
}

function cellText(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
