/** The bytes of a UUID, for `uuidV5`. */
export function uuidBytes(uuid: string): Uint8Array {
  return Uint8Array.fromHex(uuid.replaceAll("-", ""));
}

/** The UUID of a name within a namespace: 36 lower-case characters, version 5 (RFC 9562, 5.5: SHA-1 by definition). */
export function uuidV5(namespace: Uint8Array, name: string): string {
  const hex = new Bun.CryptoHasher("sha1").update(namespace).update(name).digest("hex");
  // The variant is the two highest bits of this digit.
  const variant = "89ab"[Number.parseInt(hex.charAt(16), 16) & 3];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
