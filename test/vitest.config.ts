import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { asText } from "./as-text.ts";

/** Unit tests. */
export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  plugins: [asText],
  test: { include: ["test/**/*.test.ts"], exclude: ["test/appliance/**"] },
});
