import { join } from "node:path";

const root = join(import.meta.dir, "..");

/** Compiles an executable for linux x64. The floor of `npm run bench` is compiled with the same flags. */
export function compile(entries: readonly string[], outfile: string): void {
  const build = Bun.spawnSync(
    [
      process.execPath,
      "build",
      "--compile",
      "--minify",
      "--bytecode",
      // One file per command, so that a command evaluates only the code it uses, built-in modules included.
      "--format=esm",
      "--splitting",
      "--target=bun-linux-x64",
      // Otherwise the executable would load .env and bunfig.toml preloads from its working directory.
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
