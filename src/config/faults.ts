import { ConfigError } from "./error.ts";

/** The faults of a configuration, in the order of its tables: one report names all of them. */
export type Faults = {
  readonly list: readonly ConfigError[];
  readonly add: (fault: ConfigError) => void;
  /** Runs `work` and keeps its `ConfigError`: null then. Throws every other error. */
  readonly attempt: <Value>(work: () => Value) => Value | null;
};

export function openFaults(): Faults {
  const list: ConfigError[] = [];
  return {
    list,
    add: (fault) => void list.push(fault),
    attempt(work) {
      try {
        return work();
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        list.push(error);
        return null;
      }
    },
  };
}
