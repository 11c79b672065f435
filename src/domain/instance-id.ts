import { type DerivedKeys, keyedHash } from "./keyed-hash.ts";

/** Where `/readyz` says which installation answers. */
export const instanceHeader = "X-Xpose-Instance";

/** 16 hex digits that tell installations apart: by their secret, and a copy by its place. `dataDir` is without links. */
export function instanceId(keys: Pick<DerivedKeys, "check">, dataDir: string): string {
  return keyedHash(keys.check, `instance\0${dataDir}`).slice(0, 16);
}
