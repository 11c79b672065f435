import type { PlainResponse } from "./response.ts";

/** A file of the dashboard. The build has compressed it, so that no request compresses anything. */
export type PageFile = { readonly contentType: string; readonly gzip: Uint8Array<ArrayBuffer> };

export type DashboardFiles = {
  readonly index: PageFile;
  /** By name. Each name contains a hash of the content, so browsers may cache the file for ever. */
  readonly assets: ReadonlyMap<string, PageFile>;
};

/** The name of the HTML page in a bundle; all other files are assets. */
const indexName = "index.html";

/**
 * The page may load files from our own origin and nothing else. `require-trusted-types-for` makes the browser block
 * every DOM sink that could turn text into markup or script.
 */
const contentSecurityPolicy = [
  "default-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "object-src 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const securityHeaders = {
  "Content-Security-Policy": contentSecurityPolicy,
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
};

/** Parses a bundle of the build: a JSON object of name -> media type and base64 of gzip. Throws on anything else. */
export function parseBundle(text: string): DashboardFiles {
  const files = JSON.parse(text) as Record<string, { type: string; gzip: string }>;
  const read = ({ type, gzip }: { type: string; gzip: string }): PageFile => ({
    contentType: type,
    gzip: new Uint8Array(Buffer.from(gzip, "base64")),
  });
  const { [indexName]: index, ...assets } = files;
  if (index === undefined) throw new Error("the dashboard was built without its page");
  return { index: read(index), assets: new Map(Object.entries(assets).map(([name, file]) => [name, read(file)])) };
}

/** The page is never cached, so an upgrade shows at once. Its assets never change and are cached for ever. */
export function fileResponse(file: PageFile, kind: "index" | "asset", acceptEncoding: string | null): PlainResponse {
  const isCompressed = acceptsGzip(acceptEncoding);
  return {
    status: 200,
    body: isCompressed ? file.gzip : Bun.gunzipSync(file.gzip),
    headers: {
      "Content-Type": file.contentType,
      "Cache-Control": kind === "index" ? "no-store" : "public, max-age=31536000, immutable",
      Vary: "Accept-Encoding",
      ...(isCompressed ? { "Content-Encoding": "gzip" } : {}),
      ...securityHeaders,
    },
  };
}

function acceptsGzip(header: string | null): boolean {
  const codings = (header ?? "").split(",").map((text) => text.trim().toLowerCase().replaceAll(" ", ""));
  return codings.some((coding) => /^gzip(?:;q=(?!0(?:\.0*)?$).+)?$/.test(coding));
}
