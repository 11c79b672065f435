import { buildCase } from "../../domain/case.ts";
import { AppError } from "../../domain/error.ts";
import { parseTlp } from "../../domain/tlp.ts";
import type { ExportOptions } from "../../formats/export-options.ts";
import { type FormatName, formatNames, formats, isFormatName } from "../../formats/format-table.ts";
import type { Exchange } from "../exchange.ts";
import { queryOf } from "../query.ts";
import { type PlainResponse, storedResponse } from "../response.ts";
import { readWish } from "../wish.ts";
import { read } from "./enrich.ts";

/** GET /api/v1/soc/enrich/{request_id}/export: a completed scan as a file in the format of another product. */
export function exportScan(exchange: Exchange): Promise<PlainResponse> {
  const query = queryOf(exchange.request);
  const wanted = parseWanted(query);
  if (wanted instanceof AppError) return read(exchange, "export", { fault: wanted });
  const { version } = exchange.app.dashboard;
  return read(exchange, "export", {
    ...readWish(exchange.request, { hasViews: false }),
    below: "/export",
    repeated: repeatedOf(query),
    present: (reply) => {
      if (reply.kind !== "case") return null;
      const exported = buildCase(reply, version);
      // The store gives no case of a failed scan to an export: its answer is that of a poll.
      if (exported.status !== "completed") throw new Error("a failed scan was read for an export");
      const { mediaType, extension, write } = formats[wanted.format];
      return storedResponse(200, write(exported, wanted), {
        "Content-Type": mediaType,
        // A file name never holds the address, because file names appear in logs and lists.
        "Content-Disposition": `attachment; filename="xpose-${reply.scanId}.${extension}"`,
      });
    },
  });
}

type Wanted = ExportOptions & { readonly format: FormatName };

/** `format`, `tlp` and `bom` of the query (docs/pipeline.md 18.1, 18.4), or what is wrong with them. */
export function parseWanted(query: URLSearchParams): Wanted | AppError {
  const [format, tlp, bom] = [only(query, "format"), only(query, "tlp", "amber"), only(query, "bom", "0")];
  if (format === null || !isFormatName(format)) {
    return new AppError("invalid_request", `The format must be one of ${formatNames.join(", ")}`);
  }
  // An unencoded `+` arrives as a blank.
  const mark = tlp === null ? null : parseTlp(tlp.replace(" ", "+"));
  if (mark === null) {
    return new AppError("invalid_request", "The tlp must be one of clear, white, green, amber, amber+strict, red");
  }
  if (bom !== "0" && bom !== "1") return new AppError("invalid_request", "The bom must be 0 or 1");
  return { format, tlp: mark, hasByteOrderMark: bom === "1" };
}

/** The parameters of an export as they were given, for a poll while the scan is not over. */
function repeatedOf(query: URLSearchParams): string {
  const given = ["format", "tlp", "bom"].flatMap((name) =>
    query.getAll(name).map((value): [string, string] => [name, value]),
  );
  return new URLSearchParams(given).toString();
}

/** The value of a parameter that stands there at most once; null when it does not, or is missing without a default. */
function only(query: URLSearchParams, name: string, whenMissing: string | null = null): string | null {
  const [value, ...others] = query.getAll(name);
  if (others.length > 0) return null;
  return value ?? whenMissing;
}
