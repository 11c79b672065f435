import { hkdfSync } from "node:crypto";
import type { Indicator } from "./indicator.ts";

/** Each use of the server secret has a key of its own, so a hash made for one purpose means nothing for another. */
const purposes = ["token", "indicator", "corpus", "settings", "audit", "check"] as const;

export type KeyPurpose = (typeof purposes)[number];
/** 32-byte keys derived from the server secret. */
export type DerivedKeys = Readonly<Record<KeyPurpose, Buffer>>;

/** Derives one key per purpose with HKDF-SHA-256 (RFC 5869). `secret` is the 32 random bytes of the secret file. */
export function deriveKeys(secret: Uint8Array): DerivedKeys {
  const entries = purposes.map((purpose) => [
    purpose,
    Buffer.from(hkdfSync("sha256", secret, "", `xpose/1/${purpose}`, 32)),
  ]);
  return Object.freeze(Object.fromEntries(entries) as Record<KeyPurpose, Buffer>);
}

/** HMAC-SHA-256 as 64 lower-case hex digits. */
export function keyedHash(key: Uint8Array, text: string): string {
  return hasherOf(key).update(text).digest("hex");
}

/** The same as its 32 bytes. */
export function keyedBytes(key: Uint8Array, text: string): Buffer {
  return hasherOf(key).update(text).digest();
}

/** Keyed once per key and copied: half of the cost of a new one, and several are made for every request. */
const hashers = new WeakMap<Uint8Array, Bun.CryptoHasher>();

function hasherOf(key: Uint8Array): Bun.CryptoHasher {
  const known = hashers.get(key) ?? new Bun.CryptoHasher("sha256", key);
  hashers.set(key, known);
  return known.copy();
}

/** The hash under which everything about an indicator is stored. It includes the type, so types never collide. */
export function indicatorHash(keys: DerivedKeys, indicator: Indicator): string {
  return keyedHash(keys.indicator, `${indicator.type}\0${indicator.value}`);
}

/** The key of an indicator in a corpus segment: the first 16 bytes of its HMAC. Odds of one false match in 10^10 addresses: 10^-18. */
export function corpusHash(keys: Pick<DerivedKeys, "corpus">, indicator: Indicator): Buffer {
  return keyedBytes(keys.corpus, `${indicator.type}\0${indicator.value}`).subarray(0, 16);
}
