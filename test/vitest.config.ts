import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Unit tests. Bun embeds SQL and Python as text with an import attribute; Vite has to be told to do the same. */
export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  plugins: [
    {
      name: "as-text",
      transform: (code, id) =>
        /\.(?:sql|py)$/.test(id) ? { code: `export default ${JSON.stringify(code)};` } : undefined,
    },
  ],
  test: { include: ["test/**/*.test.ts"], exclude: ["test/appliance/**"] },
});
