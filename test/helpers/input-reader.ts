import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { type ImportSource, openInput } from "../../src/corpus/input/open-input.ts";

/** Reads an input to its end. Rejects with errors of opening and reading. */
export async function readInput(source: string | ImportSource, signal = new AbortController().signal) {
  const input = await openInput(typeof source === "string" ? { path: source } : source, signal);
  try {
    const entries = [];
    for await (const { name, innerName, head, chunks, isWhole } of input.entries) {
      const parts: Buffer[] = [];
      for await (const chunk of chunks) parts.push(Buffer.from(chunk));
      entries.push({ name, innerName, head: head.toString(), text: Buffer.concat(parts).toString(), isWhole });
    }
    const { fileName, hasEntries, bytesTotal } = input;
    return {
      fileName,
      hasEntries,
      bytesTotal,
      entries,
      texts: Object.fromEntries(entries.map(({ name, text }) => [name ?? "", text])),
      leftOut: Object.fromEntries(input.leftOut().map(({ file, reason }) => [file, reason])),
      bytesRead: input.bytesRead(),
      sha256: input.sha256(),
      contentSha256: input.contentSha256(),
    };
  } finally {
    await input.close();
  }
}

/** Standard input that arrives in pieces of this size. */
export function piped(bytes: Uint8Array, size = 7): ImportSource {
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
  }
  return { stdin: pieces() };
}

/** A temporary folder with these files. */
export function folderOf(files: Readonly<Record<string, string | Uint8Array>> = {}): string {
  const root = mkdtempSync(join(tmpdir(), "xpose-input-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  return root;
}

/** A temporary file with this name. */
export function fileOf(name: string, content: string | Uint8Array): string {
  return join(folderOf({ [name]: content }), name);
}

/** True when the machine has a program; prints a note when it is missing. */
export function hasProgram(name: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${name}`], { stdio: "ignore" });
    return true;
  } catch {
    console.warn(`skipped: there is no ${name} on this machine`);
    return false;
  }
}

export function sha256Of(bytes: string | Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
}
