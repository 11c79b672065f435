/** For tables and statements that a start does not need: preparing all of them takes longer than opening the file. */
export function lazily<Value>(open: () => Value): () => Value {
  let opened: { readonly value: Value } | null = null;
  return () => {
    opened ??= { value: open() };
    return opened.value;
  };
}
