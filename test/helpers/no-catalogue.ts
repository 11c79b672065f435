import type { Catalogue } from "../../src/sources/breach-catalogue.ts";

/** A catalogue without a list, for sources whose tests need none. */
export const noCatalogue: Catalogue = {
  find: () => null,
  aliases: new Map(),
  refresh: async () => {},
  state: () => ({ breachCount: 0, asOf: null, error: null }),
};
