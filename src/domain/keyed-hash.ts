import type { Indicator } from "./indicator.ts";

/** Each use of the server secret has a key of its own, so a hash made for one purpose means nothing for another. */
const purposes = ["token", "indicator", "corpus", "settings", "audit", "check", "backup"] as const;

export type KeyPurpose = (typeof purposes)[number];
/** 32-byte keys derived from the server secret. */
export type DerivedKeys = Readonly<Record<KeyPurpose, Buffer>>;

/**
 * Derives one key per purpose with HKDF-SHA-256 (RFC 5869), without a salt. `secret` is the 32 random bytes of the
 * secret file. Not by node:crypto, whose loading takes a fifth of the time until the service answers: of a key that is
 * as long as a hash, HKDF is two HMACs.
 */
export function deriveKeys(secret: Uint8Array): DerivedKeys {
  const pseudorandomKey = new Bun.CryptoHasher("sha256", Buffer.alloc(32)).update(secret).digest();
  const entries = purposes.map((purpose) => [purpose, keyedBytes(pseudorandomKey, `xpose/1/${purpose}\x01`)]);
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

/** Bytes of the key of an indicator in corpus segments. Odds of one false match among 10^9 addresses: 5 in 10^11. */
export const corpusHashSize = 8;
/** Bytes of what stands before an indicator when it is hashed for a corpus. */
export const corpusPrefixSize = 16;

/**
 * The 16 secret bytes before each indicator of a type. They are short on purpose: with them an address of up to 39
 * bytes is one block of SHA-256, which is what an import spends most of its time on.
 */
export function corpusPrefix(keys: Pick<DerivedKeys, "corpus">, type: Indicator["type"]): Buffer {
  return keyedBytes(keys.corpus, type).subarray(0, corpusPrefixSize);
}

/**
 * The key of an indicator in corpus segments: the first 8 bytes of SHA-256(prefix, value). A secret prefix is safe here
 * though it is not with a whole SHA-256: three quarters of the state stay unknown, so no hash can be prolonged.
 */
export function corpusHash(keys: Pick<DerivedKeys, "corpus">, { type, value }: Indicator): Buffer {
  return new Bun.CryptoHasher("sha256")
    .update(corpusPrefix(keys, type))
    .update(value)
    .digest()
    .subarray(0, corpusHashSize);
}

/** Longest text that `corpusHasher` hashes without a detour; an address has at most 254 bytes. */
const hashedInPlaceBytes = 512;

/**
 * `corpusHash` for many values of one type, at a third of its cost: 0.5 us each. The bytes that it returns are only valid
 * until the next call.
 */
export function corpusHasher(
  keys: Pick<DerivedKeys, "corpus">,
  type: Indicator["type"],
): (value: string) => Uint8Array {
  const input = Buffer.alloc(corpusPrefixSize + hashedInPlaceBytes);
  corpusPrefix(keys, type).copy(input);
  const digest = new Uint8Array(32);
  const hash = digest.subarray(0, corpusHashSize);
  return (value) => {
    // A character of UTF-16 has at most 3 bytes in UTF-8.
    if (value.length * 3 > hashedInPlaceBytes) return corpusHash(keys, { type, value });
    const size = input.write(value, corpusPrefixSize, "utf8");
    Bun.SHA256.hash(input.subarray(0, corpusPrefixSize + size), digest);
    return hash;
  };
}
