import { createCipheriv, createDecipheriv } from "node:crypto";
import type { DerivedKeys } from "../domain/keyed-hash.ts";

const nonceSize = 12;
const tagSize = 16;

/** Encrypts what the store holds about watched addresses. */
export type Sealer = {
  /** AES-256-GCM: 12 bytes nonce, ciphertext, 16 bytes tag. `context` is authenticated and must be given to open it. */
  readonly seal: (text: string, context: string) => Buffer;
  /** Throws when the bytes were changed, belong elsewhere or were sealed with another secret. */
  readonly open: (sealed: Uint8Array, context: string) => string;
};

/**
 * A random nonce of 96 bits for each text. With one key, 2^32 texts may be sealed (NIST SP 800-38D, 8.3); a list of
 * 100,000 addresses with an event for each of them every day takes a century.
 */
export function openSealer(
  { watch: key }: Pick<DerivedKeys, "watch">,
  randomBytes: (count: number) => Uint8Array,
): Sealer {
  return {
    seal(text, context) {
      const nonce = randomBytes(nonceSize);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(context));
      const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      return Buffer.concat([nonce, body, cipher.getAuthTag()]);
    },
    open(sealed, context) {
      const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
      if (bytes.length < nonceSize + tagSize) throw new Error("sealed bytes are too short");
      const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, nonceSize), { authTagLength: tagSize });
      decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-tagSize));
      return decipher.update(bytes.subarray(nonceSize, -tagSize), undefined, "utf8") + decipher.final("utf8");
    },
  };
}
