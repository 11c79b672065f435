import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Certificate } from "./certificates.ts";

/** Writes a certificate, its key and a configuration that serves them. Returns the arguments that name it. */
export function writeTlsConfig(folder: string, { cert, key }: Certificate, more = ""): readonly string[] {
  const path = (name: string) => join(folder, name);
  writeFileSync(path("cert.pem"), cert);
  writeFileSync(path("key.pem"), key);
  const lines = `[server]\ntls_cert = "${path("cert.pem")}"\ntls_key = "${path("key.pem")}"\n${more}`;
  writeFileSync(path("xpose.toml"), lines);
  return ["--config", path("xpose.toml")];
}
