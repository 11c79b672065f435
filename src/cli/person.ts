import { readFileSync } from "node:fs";
import { accountOf } from "../own-user.ts";

/** The value of a process that nobody logged in for (proc_pid_loginuid(5)). */
const noLogin = 4294967295;
/** Names of accounts (useradd(8)); an address of a directory service would be an email address in the audit trail. */
const accountName = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;

/**
 * The actor of the audit trail for a command: `cli:alice` for the person who logged in or called sudo, else `cli`. Root
 * is not a person.
 */
export function commandActor(
  env: Readonly<Record<string, string | undefined>> = process.env,
  read: (file: string) => string = (file) => readFileSync(file, "utf8"),
): string {
  const name = loginName(read) ?? nameOf(env["SUDO_USER"] ?? "");
  return name === null ? "cli" : `cli:${name}`;
}

/** The kernel keeps the login user through su and sudo. */
function loginName(read: (file: string) => string): string | null {
  const uid = Number(readOr("", read, "/proc/self/loginuid").trim() || noLogin);
  if (!Number.isInteger(uid) || uid === noLogin || uid === 0) return null;
  return nameOf(accountOf(uid, readOr("", read, "/etc/passwd")) ?? "") ?? String(uid);
}

function nameOf(name: string): string | null {
  return accountName.test(name) && name !== "root" ? name : null;
}

function readOr(fallback: string, read: (file: string) => string, file: string): string {
  try {
    return read(file);
  } catch {
    // Without /proc, or in a chroot.
    return fallback;
  }
}
