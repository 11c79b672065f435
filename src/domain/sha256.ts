/** SHA-256 over the text in UTF-8, 64 lower-case hex digits. */
export function sha256Hex(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}
