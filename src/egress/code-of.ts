/** The code of a system or runtime error, such as `ECONNREFUSED`. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "no code";
}
