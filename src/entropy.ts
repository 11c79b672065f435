/** The clock and the randomness of this process. Everything else gets them as arguments. */
export const entropy = {
  now: () => new Date(),
  newId: () => crypto.randomUUID() as string,
  randomBytes: (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count)),
};
