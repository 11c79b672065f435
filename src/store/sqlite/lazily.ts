/**
 * Opens a table or prepares a statement at its first use. A start does not need all of them, and preparing all takes
 * longer than opening the file.
 */
export function lazily<Value>(open: () => Value): () => Value {
  let opened: { readonly value: Value } | null = null;
  return () => {
    opened ??= { value: open() };
    return opened.value;
  };
}
