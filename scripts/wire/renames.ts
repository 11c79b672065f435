/**
 * Renames every member of every body of `src/wire` in a copy, one after the other, and compiles it: the server must
 * notice every renaming. Zero errors in the page are fine for a member that the page does not read. `bun
 * scripts/wire/renames.ts` takes about ten minutes on two idle cores; test/rules/wire-renames.test.ts renames a
 * handful.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod/mini";

const root = join(import.meta.dirname, "..", "..");
const wire = join(root, "src", "wire");

/** A member of a literal in a file of `src/wire`, and the position of its name. */
export type Field = { readonly file: string; readonly name: string; readonly at: number };

/** Errors of the two compilers, without those in `src/wire` itself. */
export type Verdict = { readonly server: readonly string[]; readonly page: readonly string[] };

/** Every member of every body, in file order. */
export async function listFields(): Promise<Field[]> {
  const files = readdirSync(wire).filter((file) => file !== "shape.ts" && file !== "scalar.ts");
  const lists = await Promise.all(
    files.sort().map(async (file) => fieldsOf(file, Object.values(await import(join(wire, file))))),
  );
  return lists.flat();
}

/** A name after a brace or comma, and before a colon, comma or brace. */
const member = /(?<=[{,]\s*)[a-z]\w*(?=\s*[:,}])/g;

function fieldsOf(file: string, exported: readonly unknown[]): Field[] {
  const names = namesIn(exported);
  const text = readFileSync(join(wire, file), "utf8").replace(/^import .*$/gm, (line) => " ".repeat(line.length));
  return [...text.matchAll(member)]
    .map(({ 0: name, index }) => ({ file, name, at: index }))
    .filter(({ name }) => names.has(name));
}

/** Names of the members of schemas, and of nested members. */
function namesIn(values: readonly unknown[]): Set<string> {
  const names = new Set<string>();
  const visit = (value: unknown): void => {
    if (!(value instanceof z.ZodMiniType)) return;
    const {
      shape = {},
      element,
      innerType,
    } = value._zod.def as { shape?: object; element?: unknown; innerType?: unknown };
    for (const name of Object.keys(shape)) names.add(name);
    for (const inner of [...Object.values(shape), element, innerType]) visit(inner);
  };
  for (const value of values) visit(value);
  return names;
}

/** A copy of the code in a temporary folder, for compiling with other names. */
export function openCopy() {
  const folder = mkdtempSync(join(tmpdir(), "xpose-renames-"));
  for (const part of ["src", "migrations", "package.json", "tsconfig.json"]) {
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));

  async function errorsOf(project: string): Promise<string[]> {
    const compiler = join(root, "node_modules", ".bin", "tsc");
    const child = Bun.spawn([compiler, "-p", project, "--pretty", "false"], { cwd: folder, stdout: "pipe" });
    // An error continues on lines that begin with a blank.
    const errors = (await child.stdout.text()).split(/\n(?=\S)/);
    return errors.filter((error) => error.startsWith("src/") && !error.startsWith("src/wire/"));
  }

  return {
    /** Compiles with all of these members renamed. */
    async compileWithout(fields: readonly Field[]): Promise<Verdict> {
      const files = new Set(fields.map(({ file }) => file));
      for (const file of files) {
        const renamed = fields.filter((field) => field.file === file).sort((a, b) => b.at - a.at);
        let text = readFileSync(join(wire, file), "utf8");
        for (const { name, at } of renamed)
          text = text.slice(0, at) + renaming(text, name, at) + text.slice(at + name.length);
        writeFileSync(join(folder, "src", "wire", file), text);
      }
      const [server, page] = await Promise.all([errorsOf("."), errorsOf("src/dashboard")]);
      for (const file of files) cpSync(join(wire, file), join(folder, "src", "wire", file));
      return { server, page };
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Renames `name:`; shorthand `name` becomes `other: name` and keeps its value. */
function renaming(text: string, name: string, at: number): string {
  const isShort = !/^\s*:/.test(text.slice(at + name.length));
  return isShort ? `${name}_renamed: ${name}` : `${name}_renamed`;
}

if (import.meta.main) {
  using copy = openCopy();
  const untouched = await copy.compileWithout([]);
  let missed = untouched.server.length + untouched.page.length;
  for (const error of [...untouched.server, ...untouched.page]) console.log(`before any renaming: ${error}`);
  for (const field of await listFields()) {
    const { server, page } = await copy.compileWithout([field]);
    if (server.length === 0) missed += 1;
    const inServer = server.length === 0 ? "NOT SEEN" : server.length;
    console.log(`${field.file} ${field.name}: errors in the server ${inServer}, in the page ${page.length}`);
  }
  console.log(missed === 0 ? "every renaming was seen" : `${missed} NOT SEEN`);
  process.exit(missed === 0 ? 0 : 1);
}
