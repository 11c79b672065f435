import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Unit tests. Bun embeds SQL as text with an import attribute; Vite has to be told to do the same. */
export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  plugins: [
    {
      name: "sql-as-text",
      transform: (code, id) => (id.endsWith(".sql") ? { code: `export default ${JSON.stringify(code)};` } : undefined),
    },
  ],
  test: { include: ["test/**/*.test.ts"], exclude: ["test/appliance/**"] },
});
