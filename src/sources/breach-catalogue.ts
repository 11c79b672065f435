import { readFileSync, statSync } from "node:fs";
import { rename, rm, utimes, writeFile } from "node:fs/promises";
import * as z from "zod/mini";
import { SourceError } from "../domain/error.ts";
import { slug, subjectOf } from "../domain/subject.ts";
import { aborted } from "../egress/aborted.ts";
import { parseJsonAnswer } from "../egress/answer.ts";
import type { HttpClient } from "../egress/client.ts";
import { flag, optionalFlag } from "./lenient.ts";
import { readRows } from "./rows.ts";

/**
 * One breach as described by Have I Been Pwned (haveibeenpwned.com/API/v3, "The breach model"). Its text is not cleaned
 * yet.
 */
export const breachEntry = z.lazy(() =>
  z.object({
    /** A stable key, without blanks. */
    Name: z.string().check(z.minLength(1)),
    Title: z.string(),
    /** Empty for a collection from several services. */
    Domain: z.nullish(z.string()),
    /** `YYYY-MM-DD`, approximate. */
    BreachDate: z.string(),
    AddedDate: z.nullish(z.string()),
    ModifiedDate: z.nullish(z.string()),
    PwnCount: z.nullish(z.number()),
    DataClasses: z.array(z.string()),
    IsVerified: flag,
    IsFabricated: flag,
    IsSensitive: flag,
    IsRetired: flag,
    IsSpamList: flag,
    // Added later: an older copy of the list, or a service that imitates the API, may lack these.
    IsMalware: optionalFlag,
    IsStealerLog: optionalFlag,
    IsSubscriptionFree: optionalFlag,
  }),
);

export type CatalogueEntry = z.infer<typeof breachEntry>;

export type CatalogueState = {
  readonly breachCount: number;
  /** When the list was fetched, or its file written; null without a list. */
  readonly asOf: Date | null;
  /** Why the last attempt to get the list failed, or null. */
  readonly error: string | null;
};

/** The public list of breaches, as known to this machine. */
export type Catalogue = {
  /** The breach with exactly this name; null when it is unknown or there is no list. */
  readonly find: (name: string) => CatalogueEntry | null;
  /** Maps the slug of a breach's Name or Title to the domain of the service: the alias table of `makeFinding`. */
  readonly aliases: ReadonlyMap<string, string>;
  /**
   * Fetches the list if it is due. Waits only when there is no list yet, at most 3 s and never past the deadline of the
   * scan; otherwise the older list is used. Never throws; errors are in `state`.
   */
  readonly refresh: (scan: { readonly deadline: Date; readonly signal: AbortSignal }) => Promise<void>;
  readonly state: () => CatalogueState;
};

export type CatalogueOptions = {
  /** A list kept up to date by the operator, for air gaps; then nothing is fetched. Null without a file. */
  readonly file: string | null;
  /** Where a fetched list is stored, so that a restart need not fetch it again. It can be used as `file` elsewhere. */
  readonly cacheFile: string;
  /** The API to fetch from, without `/breaches`. */
  readonly baseUrl: string;
  /**
   * Null while offline; then nothing is fetched. The list needs no key and does not count against the pace of the
   * source.
   */
  readonly http: HttpClient | null;
  readonly now: () => Date;
};

/** At most daily, up to 16 MiB (docs/contract.md 11.2a). */
const maxAgeMs = 24 * 60 * 60 * 1000;
const maxBytes = 16 * 1024 * 1024;
/** Pause after a failure, so that scans do not request the list again and again. */
const retryMs = 60 * 60 * 1000;
const fetchTimeoutMs = 60_000;
const maxWaitMs = 3000;
/** Time that the scan needs after the wait to return its findings. */
const marginMs = 500;

/** Opens the catalogue. Reads its file on first use and opens no connection before `refresh`. */
export function openCatalogue({ file, cacheFile, baseUrl, http, now }: CatalogueOptions): Catalogue {
  let current: BreachList | null = null;
  let error: string | null = null;
  let fetching: Promise<void> | null = null;
  let retryAt = Number.NEGATIVE_INFINITY;

  function list(): BreachList {
    current ??= readList() ?? noBreaches;
    return current;
  }

  function readList(): BreachList | null {
    try {
      return listFromFile(file ?? cacheFile);
    } catch (cause) {
      // A missing or truncated cache file is not an error: the list is fetched again.
      if (file !== null) error = `${file}: ${reasonOf(cause)}`;
      return null;
    }
  }

  function isOld({ asOf }: BreachList): boolean {
    // A date in the future comes from a wrong clock.
    return asOf === null || Math.abs(now().getTime() - asOf.getTime()) >= maxAgeMs;
  }

  function isDue(): boolean {
    if (!isOld(list()) || now().getTime() < retryAt) return false;
    // Another process on this data directory may have fetched the list.
    const kept = readList();
    if (kept !== null && !isOld(kept)) current = kept;
    return isOld(list());
  }

  async function fetchList(client: HttpClient): Promise<void> {
    const asOf = now();
    try {
      const response = await client.request({
        url: `${baseUrl.replace(/\/+$/, "")}/breaches`,
        headers: { accept: "application/json" },
        // A separate time limit: the first scan may end before the list arrives, and other scans need it too.
        signal: AbortSignal.timeout(fetchTimeoutMs),
        maxBytes,
      });
      current = listOf(parseJsonAnswer(response), asOf);
      error = null;
      await keep(cacheFile, response.body, asOf);
    } catch (cause) {
      error = reasonOf(cause);
      retryAt = asOf.getTime() + retryMs;
    } finally {
      fetching = null;
    }
  }

  return {
    find: (name) => list().byName.get(name) ?? null,
    get aliases() {
      return list().aliases;
    },
    async refresh({ deadline, signal }) {
      if (file !== null || http === null) return;
      if (fetching === null && isDue()) fetching = fetchList(http);
      if (fetching === null || list().asOf !== null) return;
      const waitMs = Math.min(maxWaitMs, deadline.getTime() - now().getTime() - marginMs);
      if (waitMs <= 0) return;
      const isOver = AbortSignal.any([signal, AbortSignal.timeout(waitMs)]);
      await Promise.race([fetching, aborted(isOver).catch(() => undefined)]);
    },
    state() {
      const { byName, asOf } = list();
      return { breachCount: byName.size, asOf, error };
    },
  };
}

/**
 * Names of the breaches in the local list, without network access; null when there is no list. `error` says why the
 * operator's file cannot be used.
 */
export function readBreachNames({ file, cacheFile }: Pick<CatalogueOptions, "file" | "cacheFile">): {
  readonly names: ReadonlySet<string> | null;
  readonly error: string | null;
} {
  try {
    return { names: new Set(listFromFile(file ?? cacheFile).byName.keys()), error: null };
  } catch (cause) {
    return { names: null, error: file === null ? null : `${file}: ${reasonOf(cause)}` };
  }
}

type BreachList = {
  readonly byName: ReadonlyMap<string, CatalogueEntry>;
  readonly aliases: ReadonlyMap<string, string>;
  /** Null only for the empty placeholder list. */
  readonly asOf: Date | null;
};

const noBreaches: BreachList = { byName: new Map(), aliases: new Map(), asOf: null };

function listFromFile(path: string): BreachList {
  const { size, mtime } = statSync(path);
  if (size > maxBytes) throw new SourceError("too_large", `more than ${maxBytes} bytes`);
  return listOf(JSON.parse(readFileSync(path, "utf8")), mtime);
}

/** Builds the list. Refuses an empty list, which would replace a good one. Skips breaches that cannot be read. */
function listOf(value: unknown, asOf: Date): BreachList {
  if (!Array.isArray(value) || value.length === 0) throw new SourceError("bad_answer", "not the list of breaches");
  const { rows } = readRows(breachEntry, value);
  const byName = new Map(rows.map((entry) => [entry.Name, entry]));
  return { byName, aliases: aliasesOf([...byName.values()]), asOf };
}

/** The alias table. A Name beats a Title, because only names are unique; of equal titles the first counts. */
function aliasesOf(entries: readonly CatalogueEntry[]): Map<string, string> {
  const aliases = new Map<string, string>();
  const names = entries.map(({ Name, Domain }) => ({ key: slug(Name), Domain }));
  const titles = entries.map(({ Title, Domain }) => ({ key: slug(Title), Domain }));
  for (const { key, Domain } of [...names, ...titles]) {
    const domain = subjectOf(Domain ?? "");
    // A slug in place of an invalid domain has no dot.
    if (key !== "" && domain.includes(".") && !aliases.has(key)) aliases.set(key, domain);
  }
  return aliases;
}

/** Replaces the file atomically, so that a reader never sees a partial list. The file's date is that of the list. */
async function keep(path: string, body: Uint8Array, asOf: Date): Promise<void> {
  const draft = `${path}.${crypto.randomUUID()}`;
  try {
    await writeFile(draft, body, { mode: 0o600, flag: "wx" });
    await utimes(draft, asOf, asOf);
    await rename(draft, path);
  } catch (cause) {
    await rm(draft, { force: true });
    throw cause;
  }
}

/** A short cause for the operator: the code of a system error, and never text of the file from a JSON error. */
function reasonOf(cause: unknown): string {
  if (cause instanceof SourceError) return `${cause.reason}: ${cause.message}`;
  if (cause instanceof SyntaxError) return "not JSON";
  return cause instanceof Error && "code" in cause ? String(cause.code) : "internal";
}
