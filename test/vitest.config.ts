import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { asText } from "./as-text.ts";

/** Unit tests. */
export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  plugins: [asText],
  // Properties take seconds where other programs have the processors.
  test: { include: ["test/**/*.test.ts"], exclude: ["test/appliance/**"], testTimeout: 30_000 },
});
