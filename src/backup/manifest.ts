import * as z from "zod/mini";
import { parseHead } from "../domain/audit.ts";
import { type DerivedKeys, keyedHash } from "../domain/keyed-hash.ts";
import { timestamp } from "../domain/time.ts";
import { BackupError } from "./error.ts";

/** Names of the members of a backup, which are those of a data directory, and where they stand in it. */
export const memberNames = {
  manifest: "manifest.json",
  manifestMac: "manifest.mac",
  secret: "secret.key",
  auditHead: "audit.head",
  database: "xpose.db",
  corpora: "corpora/",
} as const;

/** What a backup holds. Its first member; the MAC under the server secret is the second one. */
export type Manifest = {
  readonly xposeVersion: string;
  readonly schemaVersion: number;
  readonly createdAt: Date;
  /** Where the audit trail of the copy ends, as `N:HEX`. */
  readonly auditHead: string;
  /** In the order of the file. */
  readonly members: readonly ManifestMember[];
};

/** `sha256`: 64 hex digits. */
export type ManifestMember = { readonly name: string; readonly size: number; readonly sha256: string };

const format = "xpose-backup";
/** Raised when an older xpose could not read the file any more. */
const formatVersion = 1;
/** Some 20,000 segments; more than eight are never live for long. */
export const maxManifestBytes = 4 * 1024 * 1024;

/** The text of a manifest. Its length depends on names, sizes and versions only, never on a hash. */
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
 * Reads the text of a manifest. Throws `BackupError`: `failed` when it is none, `refused` when it is of a newer version
 * than this program, which reads databases up to `currentSchema`.
 */
export function parseManifest(text: string, file: string, currentSchema: number): Manifest {
  const document = parseJson(text);
  const head = headSchema.safeParse(document);
  if (!head.success) throw new BackupError("failed", `${file} is no backup of xpose`);
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

/** The member behind the manifest: only who has the server secret can make it, so that nothing in the file can be changed. */
export function manifestMac(keys: Pick<DerivedKeys, "backup">, text: string): string {
  return `${keyedHash(keys.backup, text)}\n`;
}
