/** Bun embeds SQL and Python as text with an import attribute; Vite has to be told to do the same. */
export const asText = {
  name: "as-text",
  transform: (code: string, id: string) =>
    /\.(?:sql|py)$/.test(id) ? { code: `export default ${JSON.stringify(code)};` } : undefined,
};
