import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { asText } from "../as-text.ts";

/** Tests on the compiled executable, as a stranger uses it: over HTTP and the command line. They need `npm run build`. */
export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  plugins: [asText],
  test: { include: ["test/appliance/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000, fileParallelism: false },
});
