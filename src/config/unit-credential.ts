import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Where systemd looks for units, the first before the last (systemd.unit(5)). */
export const unitFolders = [
  "/etc/systemd/system",
  "/run/systemd/system",
  "/usr/local/lib/systemd/system",
  "/usr/lib/systemd/system",
  "/lib/systemd/system",
];

const unitName = "xpose.service";

/**
 * The file that the unit of the service hands over as a credential (`LoadCredential=ID:PATH`), in the unit or a drop-in:
 * a command that somebody types gets no credentials. Null when the unit names none.
 */
export function unitCredential(id: string, folders: readonly string[]): string | null {
  const unit = folders.map((folder) => textOf(join(folder, unitName))).find((text) => text !== null) ?? "";
  const dropIns = new Map<string, string>();
  // A drop-in of an earlier folder replaces one of the same name in a later folder.
  for (const folder of folders.toReversed()) {
    const inFolder = join(folder, `${unitName}.d`);
    for (const name of namesIn(inFolder)) dropIns.set(name, textOf(join(inFolder, name)) ?? "");
  }
  const texts = [unit, ...[...dropIns].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text)];
  let found: string | null = null;
  for (const line of texts.join("\n").split("\n")) {
    const value = /^\s*LoadCredential\s*=\s*(.*?)\s*$/.exec(line)?.[1];
    if (value === "") found = null;
    else if (value?.startsWith(`${id}:/`) === true) found = value.slice(id.length + 1);
  }
  return found;
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith(".conf"));
  } catch {
    return [];
  }
}
