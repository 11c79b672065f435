import { describe, expect, test } from "vitest";
import { diskFault, isOutOfSpace } from "../../src/domain/disk-fault.ts";

function fault(code: string, message = "disk I/O error"): Error {
  return Object.assign(new Error(message), { code });
}

/** Codes of sqlite3.h; those that were seen in load tests and in the field come first. */
const sqliteCodes = [
  "SQLITE_IOERR_SHMSIZE",
  "SQLITE_BUSY",
  "SQLITE_ERROR",
  "SQLITE_FULL",
  "SQLITE_IOERR_WRITE",
  "SQLITE_IOERR_FSYNC",
  "SQLITE_IOERR_SHORT_READ",
  "SQLITE_IOERR_SHMMAP",
  "SQLITE_IOERR_LOCK",
  "SQLITE_BUSY_SNAPSHOT",
  "SQLITE_LOCKED_SHAREDCACHE",
  "SQLITE_CANTOPEN_ISDIR",
  "SQLITE_READONLY_DBMOVED",
  "SQLITE_CORRUPT_INDEX",
  "SQLITE_NOTADB",
  "SQLITE_NOMEM",
  "SQLITE_PROTOCOL",
  "SQLITE_CONSTRAINT_TRIGGER",
  "SQLITE_SCHEMA",
  "SQLITE_MISMATCH",
];

describe("an error code of SQLite or the system", () => {
  test.each(sqliteCodes)("%s is explained in words, with a remedy", (code) => {
    const text = diskFault(fault(code)) ?? "";
    expect(text).not.toContain("SQLITE_");
    expect(text).toMatch(/;|,/);
  });

  test("an unknown code of SQLite gives the message of SQLite", () => {
    expect(diskFault(fault("SQLITE_ERROR", "no such table: scan"))).toContain("no such table: scan");
  });

  test("an unknown code of the system is named; an error without a code gives null", () => {
    expect(diskFault(fault("EXDEV"))).toBe("the system refuses it (EXDEV)");
    for (const other of [new Error("x"), fault("ERR_DLOPEN_FAILED"), "ENOSPC", null])
      expect(diskFault(other)).toBeNull();
  });

  test.each(["ENOSPC", "EDQUOT", "SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"])("%s is a full disk", (code) => {
    expect(isOutOfSpace(fault(code))).toBe(true);
    expect(isOutOfSpace(fault("EIO"))).toBe(false);
  });
});
