import names from "./service-domains.json";

/** Slug of a service's name -> its domain, for sources that name a service without its domain (docs/contract.md 7.5). */
export const serviceDomains: ReadonlyMap<string, string> = new Map(Object.entries(names));
