/** Compiles the executable: `dist/xpose` for linux x64. Two builds of one commit are byte-identical. */
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "..");
mkdirSync(join(root, "dist"), { recursive: true });

const build = Bun.spawnSync(
  [
    process.execPath,
    "build",
    "--compile",
    "--minify",
    "--bytecode",
    "--target=bun-linux-x64",
    // Otherwise the executable loads .env and runs bunfig.toml preloads of whatever directory it is started in.
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    "src/main.ts",
    // A worker is an entry point of its own; src/corpus/worker-lane.ts names it by this path below the common folder.
    "src/corpus/corpus-worker.ts",
    "--outfile",
    "dist/xpose",
  ],
  { cwd: root, stdout: "inherit", stderr: "inherit" },
);
if (!build.success) process.exit(1);
chmodSync(join(root, "dist/xpose"), 0o755);
