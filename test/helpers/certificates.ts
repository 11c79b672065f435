import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** PEM texts of a certificate and its key. */
export type Certificate = { readonly cert: string; readonly key: string };

export type Authority = {
  readonly ca: string;
  /** A certificate for these names and addresses, such as `DNS:localhost` or `IP:127.0.0.1`. */
  readonly issue: (names: readonly string[], options?: { isExpired: boolean }) => Certificate;
};

/** A new certificate authority, made by the openssl program and kept in memory only. */
export function createAuthority(name: string): Authority {
  const ca = inFolder((folder) => {
    openssl(folder, [
      "req",
      "-x509",
      ...newKey,
      "-keyout",
      "key.pem",
      "-out",
      "cert.pem",
      "-subj",
      `/CN=${name}`,
      "-days",
      "2",
    ]);
    return { cert: read(folder, "cert.pem"), key: read(folder, "key.pem") };
  });
  return {
    ca: ca.cert,
    issue: (names, options) =>
      inFolder((folder) => {
        writeFileSync(join(folder, "ca.pem"), ca.cert);
        writeFileSync(join(folder, "ca-key.pem"), ca.key);
        writeFileSync(join(folder, "extensions"), `subjectAltName=${names.join(",")}\nbasicConstraints=CA:FALSE\n`);
        openssl(folder, ["req", ...newKey, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=server"]);
        const days = options?.isExpired === true ? "-1" : "2";
        const signing = ["-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-extfile", "extensions"];
        openssl(folder, ["x509", "-req", "-in", "request.pem", ...signing, "-out", "cert.pem", "-days", days]);
        return { cert: read(folder, "cert.pem"), key: read(folder, "key.pem") };
      }),
  };
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

function openssl(folder: string, args: readonly string[]): void {
  execFileSync("openssl", [...args], { cwd: folder, stdio: "pipe" });
}

function read(folder: string, file: string): string {
  return readFileSync(join(folder, file), "utf8");
}

function inFolder<Result>(work: (folder: string) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), "xpose-certificates-"));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
