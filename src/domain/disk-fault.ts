/**
 * Explains an error code of the system or of SQLite in words, and says what to do about it. For the files of a data
 * directory. Null for an error without such a code.
 */
export function diskFault(error: unknown): string | null {
  const code = codeOf(error);
  if (code === null) return null;
  const known = reasons[code] ?? reasons[code.split("_").slice(0, 2).join("_")];
  if (known !== undefined) return known;
  if (!code.startsWith("SQLITE_")) return `the system refuses it (${code})`;
  const said = error instanceof Error ? error.message : "";
  return `the database is not as xpose makes it: ${said}; restore a backup`;
}

/** True when the disk or the quota of the user is full. */
export function isOutOfSpace(error: unknown): boolean {
  const code = codeOf(error);
  return code !== null && ["ENOSPC", "EDQUOT", "SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"].includes(code);
}

/** The message of the log, the commands and the health check for a data directory on a full disk. */
export function diskFullText(dataDir: string): string {
  return `the disk is full: ${dataDir}; free some space`;
}

/** A code such as `ENOSPC` or `SQLITE_FULL`. Other libraries have codes of their own: null for those. */
function codeOf(error: unknown): string | null {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  return /^(?:E[A-Z0-9]+|SQLITE_[A-Z_]+)$/.test(code) ? code : null;
}

const full = "the disk is full; free some space";
const noPermission = "there is no permission; check the owner and the mode of the file and its folders";
const noSharedMemory = "the file system has no shared memory or locks (a network share, for example); use a local disk";
const readOnly = "no write access; check the owner, the mode, and whether the file system is mounted read-only";
const broken = "the disk reports an error; see the log of the system";
const inUse = "another process holds it, or the file system has no locks; try again";

/** By the whole code, or by the first two words of a longer SQLite code. */
const reasons: Readonly<Record<string, string>> = {
  ENOSPC: full,
  EDQUOT: "the disk quota of the user is used up; free some space or raise the quota",
  EACCES: noPermission,
  EPERM: noPermission,
  EROFS: "the file system is mounted read-only",
  EIO: broken,
  ENOENT: "a file or folder is missing",
  ENOTDIR: "a part of the path is not a folder",
  EISDIR: "there is a folder where a file should be",
  ELOOP: "the symbolic links of the path run in a circle",
  ENAMETOOLONG: "the path is too long",
  EMFILE: "too many files are open; raise the limit of open files",
  ENFILE: "too many files are open on this machine",
  ENOMEM: "there is not enough memory; stop other programs or add some",
  EBUSY: inUse,
  ESTALE: "the network file system lost the file; mount it again",
  SQLITE_FULL: full,
  SQLITE_IOERR: broken,
  SQLITE_IOERR_SHMSIZE: full,
  SQLITE_IOERR_SHMMAP: noSharedMemory,
  SQLITE_IOERR_SHMOPEN: noSharedMemory,
  SQLITE_IOERR_SHMLOCK: noSharedMemory,
  SQLITE_IOERR_LOCK: noSharedMemory,
  SQLITE_IOERR_RDLOCK: noSharedMemory,
  SQLITE_IOERR_WRITE: "a write to the disk failed; see the log of the system and the quota of the user",
  SQLITE_IOERR_NOMEM: "there is not enough memory; stop other programs or add some",
  SQLITE_NOMEM: "there is not enough memory; stop other programs or add some",
  SQLITE_BUSY: inUse,
  SQLITE_LOCKED: inUse,
  SQLITE_PROTOCOL: inUse,
  SQLITE_CANTOPEN: "a database file cannot be opened; check that it exists, its owner and mode, and free inodes",
  SQLITE_READONLY: readOnly,
  SQLITE_PERM: noPermission,
  SQLITE_CORRUPT: "the database is damaged; restore a backup",
  SQLITE_NOTADB: "the file is not a database; restore a backup",
};
