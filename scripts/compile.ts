import { join } from "node:path";

const root = join(import.meta.dir, "..");

/** Compiles an executable for linux x64. The floor that `npm run bench` compares with is made by the same flags. */
export function compile(entries: readonly string[], outfile: string): void {
  const build = Bun.spawnSync(
    [
      process.execPath,
      "build",
      "--compile",
      "--minify",
      "--bytecode",
      // Each command gets files of its own, so that one evaluates only what it uses, built-in modules included.
      "--format=esm",
      "--splitting",
      "--target=bun-linux-x64",
      // Otherwise the executable loads .env and runs bunfig.toml preloads of whatever directory it is started in.
      "--no-compile-autoload-dotenv",
      "--no-compile-autoload-bunfig",
      // CommonJS modules get these written in, with the folder of the build: the same source would give other bytes elsewhere.
      '--define=__dirname="/xpose"',
      '--define=__filename="/xpose/module.js"',
      ...entries,
      "--outfile",
      outfile,
    ],
    { cwd: root, stdout: "inherit", stderr: "inherit" },
  );
  if (!build.success) process.exit(1);
}
