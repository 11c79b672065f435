/**
 * Builds the dashboard (`dist/dashboard.bundle`) and packs the connectors (`dist/connectors.bundle`), then compiles the
 * executable with them: `dist/xpose` for linux x64. Builds are reproducible: two builds of a commit are byte-identical, in
 * whatever folders they are made.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { compile } from "./compile.ts";

const root = join(import.meta.dir, "..");
mkdirSync(join(root, "dist"), { recursive: true });

await bundleDashboard();
bundleConnectors();
// A worker is a separate entry point; src/corpus/worker/worker-lane.ts uses this path below the common folder.
compile(["src/main.ts", "src/corpus/worker/corpus-worker.ts"], "dist/xpose");
chmodSync(join(root, "dist/xpose"), 0o755);

/**
 * The page and its assets, compressed, as one JSON text read by `http/dashboard-files.ts`. Not by the runtime's HTML
 * imports: their responses cannot be given our headers.
 */
async function bundleDashboard(): Promise<void> {
  const result = await Bun.build({
    entrypoints: [join(root, "src/dashboard/index.html")],
    target: "browser",
    minify: true,
    publicPath: "/assets/",
    naming: { entry: "[name].[ext]", chunk: "[name]-[hash].[ext]", asset: "[name]-[hash].[ext]" },
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const files: [string, { type: string; gzip: string }][] = [];
  let bytes = 0;
  for (const output of result.outputs) {
    const gzip = gzipSync(await output.arrayBuffer(), { level: 9 });
    const name = basename(output.path);
    if (name !== "index.html") bytes += gzip.byteLength;
    files.push([name, { type: output.type.replace(/;(?! )/, "; "), gzip: gzip.toString("base64") }]);
  }
  files.sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(join(root, "dist/dashboard.bundle"), JSON.stringify(Object.fromEntries(files)));
  console.log(`dashboard: ${files.length} files, script and style ${Math.ceil(bytes / 1024)} KB compressed`);
}

/** The files of every connector, compressed, by the name of its folder, as `connectors/catalogue.ts` reads them. */
function bundleConnectors(): void {
  const names = readdirSync(join(root, "connectors")).sort();
  const connectors = names.map((name) => {
    const folder = join(root, "connectors", name);
    const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.parentPath.includes("__pycache__"))
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
      .sort();
    const files = paths.map((path) => {
      const isProgram = (statSync(join(folder, path)).mode & 0o100) !== 0;
      const gzip = gzipSync(readFileSync(join(folder, path)), { level: 9 }).toString("base64");
      return { path, mode: isProgram ? 0o755 : 0o644, gzip };
    });
    return [name, files] as const;
  });
  const text = JSON.stringify(Object.fromEntries(connectors));
  writeFileSync(join(root, "dist/connectors.bundle"), text);
  console.log(`connectors: ${names.length}, ${Math.ceil(text.length / 1024)} KB`);
}
