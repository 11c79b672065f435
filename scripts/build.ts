/**
 * Builds the dashboard (`dist/dashboard.bundle`), then compiles the executable with it: `dist/xpose` for linux x64. Two
 * builds of one commit are byte-identical, in whatever folders they are made.
 */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { compile } from "./compile.ts";

const root = join(import.meta.dir, "..");
mkdirSync(join(root, "dist"), { recursive: true });

await bundleDashboard();
// A worker is an entry point of its own; src/corpus/worker/worker-lane.ts names it by this path below the common folder.
compile(["src/main.ts", "src/corpus/worker/corpus-worker.ts"], "dist/xpose");
chmodSync(join(root, "dist/xpose"), 0o755);

/**
 * The page and its assets, compressed, as one JSON text that `http/dashboard-files.ts` reads. Not by the runtime's own import of
 * HTML: what that serves from an executable cannot be given our headers.
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
