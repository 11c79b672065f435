/** SHA-256 over the text in UTF-8, 64 lower-case hex digits. */
export function sha256Hex(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

/** The same hash over a text in pieces; a piece must not end within a surrogate pair. */
export type Sha256 = { readonly add: (text: string) => void; readonly hex: () => string };

export function openSha256(): Sha256 {
  const hasher = new Bun.CryptoHasher("sha256");
  return { add: (text) => void hasher.update(text), hex: () => hasher.digest("hex") };
}
