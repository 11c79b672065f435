import { serviceDomains } from "../../domain/service-domains.ts";
import { slug } from "../../domain/subject.ts";
import names from "./breach-names.json";

/** Names of public breaches built into this program, spelled as in the breach catalogue. */
export const knownLeaks: ReadonlySet<string> = new Set(names);

/** Whether a word is the name of a known breach or service, in any spelling: `000webhost`, `123RF.com`. */
export function isKnownName(word: string): boolean {
  knownSlugs ??= new Set([...names.map(slug), ...serviceDomains.keys(), ...serviceDomains.values()]);
  return knownSlugs.has(slug(word)) || knownSlugs.has(word.toLowerCase());
}

let knownSlugs: ReadonlySet<string> | undefined;
