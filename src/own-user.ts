import { readFileSync } from "node:fs";

/** The user this process acts as, for messages about missing rights: its name, or its number without one. */
export function ownUser(): string {
  const uid = process.geteuid?.() ?? -1;
  try {
    return accountOf(uid, readFileSync("/etc/passwd", "utf8")) ?? String(uid);
  } catch {
    return String(uid);
  }
}

/** The name of an account in the text of passwd(5). The runtime would take it from `$USER`, which sudo may keep. */
export function accountOf(uid: number, passwd: string): string | null {
  const fields = passwd.split("\n").map((line) => line.split(":"));
  return fields.find(([, , id]) => id === String(uid))?.[0] ?? null;
}
