import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** A page of the documentation, without its blocks of code. */
export type MarkdownPage = {
  /** Relative to the root of the repository. */
  readonly path: string;
  readonly text: string;
  /** The text of the headings, without the marks. */
  readonly headings: readonly string[];
};

/** Reads one page by its path relative to the root of the repository. */
export function readPage(path: string): MarkdownPage {
  const text = readFileSync(`${root}${path}`, "utf8").replaceAll(/^ *```[\s\S]*?^ *```$/gm, "");
  const headings = [...text.matchAll(/^#{1,6} (.+)$/gm)].map((match) => match[1] ?? "");
  return { path, text, headings };
}

/** Every page of the repository. */
export function allPages(): MarkdownPage[] {
  const inFolders = ["docs", "src", "scripts", "systemd", "connectors"].flatMap((folder) =>
    readdirSync(`${root}${folder}`, { recursive: true, encoding: "utf8" }).map((name) => `${folder}/${name}`),
  );
  return [...readdirSync(root), ...inFolders].filter((path) => path.endsWith(".md")).map(readPage);
}

/** The part of a page below a heading, up to the next heading of any level. Throws when there is no such heading. */
export function sectionOf({ path, text }: MarkdownPage, heading: string): string {
  const sections = text.split(/^(?=#{1,6} )/m);
  const found = sections.find((section) => /^#{1,6} (.+)$/m.exec(section)?.[1] === heading);
  if (found === undefined) throw new Error(`${path} has no heading "${heading}"`);
  return found;
}

/** The rows of the tables in a text as lists of cells, without header rows. */
export function rowsOf(text: string): string[][] {
  const lines = text.split("\n").map((line) => line.trim());
  const isRow = (line: string | undefined) => line?.startsWith("|") === true;
  return lines
    .filter((line, at) => isRow(line) && !isRule(line) && !isRule(lines[at + 1] ?? ""))
    .map((line) => line.split(/(?<!\\)\|/).slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()));
}

function isRule(line: string): boolean {
  return /^\|(?: *-+ *\|)+$/.test(line);
}

/** The texts between single backticks. */
export function codeIn(text: string): string[] {
  return [...text.matchAll(/(?<!`)`([^`\n]+)`(?!`)/g)].map((match) => match[1] ?? "");
}

/** The anchor that GitHub gives a heading: lower case, without punctuation, blanks as hyphens. */
export function anchorOf(heading: string): string {
  return heading
    .replaceAll(/\[([^\]]+)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, "")
    .replaceAll(" ", "-");
}
