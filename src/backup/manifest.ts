import * as z from "zod/mini";
import { parseHead } from "../domain/audit.ts";
import { type DerivedKeys, keyedHash } from "../domain/keyed-hash.ts";
import { timestamp } from "../domain/time.ts";
import { BackupError } from "./error.ts";

/** Names of the members of a backup. They are also the paths in a data directory. */
export const memberNames = {
  manifest: "manifest.json",
  manifestMac: "manifest.mac",
  secret: "secret.key",
  auditHead: "audit.head",
  database: "xpose.db",
  corpora: "corpora/",
} as const;

/** The list of contents: the first member of a backup. The second is its MAC under the server secret. */
export type Manifest = {
  readonly xposeVersion: string;
  readonly schemaVersion: number;
  readonly createdAt: Date;
  /** The head of the copied audit trail, as `N:HEX`. */
  readonly auditHead: string;
  /** In file order. */
  readonly members: readonly ManifestMember[];
};

/** `sha256` is 64 hex digits. */
export type ManifestMember = { readonly name: string; readonly size: number; readonly sha256: string };

const format = "xpose-backup";
/** Increased when older versions of xpose can no longer read the file. */
const formatVersion = 1;
/** Enough for about 20,000 segments; rarely more than eight are live. */
export const maxManifestBytes = 4 * 1024 * 1024;

/** The text of a manifest. Its length depends only on names, sizes and versions, not on the hashes. */
export function manifestText({ xposeVersion, schemaVersion, createdAt, auditHead, members }: Manifest): string {
  const document = {
    format,
    format_version: formatVersion,
    xpose_version: xposeVersion,
    schema_version: schemaVersion,
    created_at: timestamp(createdAt),
    audit_head: auditHead,
    members: members.map(({ name, size, sha256 }) => ({ name, size, sha256 })),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

const memberSchema = z.strictObject({
  name: z.string().check(z.regex(/^(?:secret\.key|audit\.head|xpose\.db|corpora\/[0-9a-f-]{36}\.seg)$/)),
  size: z.int().check(z.minimum(0)),
  sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
});

const schema = z.strictObject({
  format: z.literal(format),
  format_version: z.literal(formatVersion),
  xpose_version: z.string().check(z.maxLength(64)),
  schema_version: z.int().check(z.minimum(1)),
  created_at: z.iso.datetime({ offset: true }),
  audit_head: z.string().check(z.refine((text) => parseHead(text) !== null)),
  members: z.array(memberSchema).check(
    z.refine((members) => new Set(members.map(({ name }) => name)).size === members.length),
    z.refine((members) => members.some(({ name }) => name === memberNames.database)),
  ),
});

const headSchema = z.looseObject({ format: z.literal(format), format_version: z.int().check(z.minimum(1)) });

/**
 * Parses a manifest. Throws `BackupError`: `failed` when the text is not a manifest, `refused` when it was written by a
 * newer version. This program reads databases up to `currentSchema`.
 */
export function parseManifest(text: string, file: string, currentSchema: number): Manifest {
  const document = parseJson(text);
  const head = headSchema.safeParse(document);
  if (!head.success) throw new BackupError("failed", `${file} is not a backup of xpose`);
  if (head.data.format_version > formatVersion) throw newerVersion(file, document);
  const { success, data } = schema.safeParse(document);
  if (!success) throw new BackupError("failed", `${file} is damaged: its manifest is not as xpose writes it`);
  if (data.schema_version > currentSchema) throw newerVersion(file, document);
  return {
    xposeVersion: data.xpose_version,
    schemaVersion: data.schema_version,
    createdAt: new Date(data.created_at),
    auditHead: data.audit_head,
    members: data.members,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function newerVersion(file: string, document: unknown): BackupError {
  const named = z.looseObject({ xpose_version: z.string().check(z.regex(/^[\w.+-]{1,64}$/)) }).safeParse(document);
  const version = named.success ? `, ${named.data.xpose_version}` : "";
  return new BackupError(
    "refused",
    `${file} was written by a newer version of xpose${version}; restore it with that one`,
  );
}

/**
 * The MAC of a manifest, the second member. Only the holder of the server secret can compute it, and it covers all
 * hashes, so the file cannot be changed unnoticed.
 */
export function manifestMac(keys: Pick<DerivedKeys, "backup">, text: string): string {
  return `${keyedHash(keys.backup, text)}\n`;
}
