import { timestamp } from "../domain/time.ts";
import { repeat } from "../event-loop/repeat.ts";
import type { TlsFiles } from "../http/tls-options.ts";
import type { Log } from "./log.ts";
import type { Certificate } from "./tls.ts";

/** A certificate that another program renewed is noticed within this time, even without a reload. */
const lookEveryMs = 60_000;
const dayMs = 24 * 60 * 60 * 1000;
/** The log warns once a day during this time before a certificate expires. */
const warnBeforeMs = 14 * dayMs;

export type CertificateTools = {
  /** Reads the files again. Throws an error that says why they cannot be used. */
  readonly read: () => Certificate | null;
  /** Starts to use the files. Throws and changes nothing when they cannot be used. */
  readonly renew: (files: TlsFiles) => Promise<void>;
  readonly now: () => Date;
  readonly log: Pick<Log, "info" | "warn" | "error">;
};

export type CertificateKeeper = {
  /** Starts to use changed files. Files that cannot be used are refused, and the log says why. Never rejects. */
  readonly look: () => Promise<void>;
  /** The end of the served certificate. */
  readonly notAfter: () => Date;
  readonly stop: () => Promise<void>;
};

/** Replaces the served certificate when its files change, without a restart, and warns before it expires. */
export function keepCertificate(first: Certificate, { read, renew, now, log }: CertificateTools): CertificateKeeper {
  let served = first;
  let refusal = "";
  let warnedAt = Number.NEGATIVE_INFINITY;
  let looking = Promise.resolve();

  async function takeOver(): Promise<void> {
    try {
      const found = read();
      if (found !== null && isOther(found.files, served.files)) {
        await renew(found.files);
        served = found;
        warnedAt = Number.NEGATIVE_INFINITY;
        log.info({ not_after: timestamp(found.notAfter) }, "certificate taken over");
      }
      refusal = "";
    } catch (error) {
      const reason = error instanceof Error ? error.message : "unknown reason";
      // Logged once, not every minute: certificate and key are two files and are not replaced at the same moment.
      if (reason !== refusal) log.error({ reason }, "certificate refused, the one in use stays");
      refusal = reason;
    }
    warn();
  }

  function warn(): void {
    const leftMs = served.notAfter.getTime() - now().getTime();
    if (leftMs > warnBeforeMs || now().getTime() - warnedAt < dayMs) return;
    warnedAt = now().getTime();
    const fields = { not_after: timestamp(served.notAfter) };
    if (leftMs <= 0) log.error(fields, "the certificate has expired");
    else log.warn(fields, "the certificate expires soon");
  }

  /** Looks run one after the other: a reload may come while the timer looks. */
  function look(): Promise<void> {
    looking = looking.then(takeOver);
    return looking;
  }

  warn();
  const looks = repeat(look, {
    everyMs: lookEveryMs,
    onError: (error) => log.error({ err: error }, "the certificate could not be looked at"),
  });
  return {
    look,
    notAfter: () => served.notAfter,
    async stop() {
      await looks.stop();
      await looking;
    },
  };
}

function isOther(a: TlsFiles, b: TlsFiles): boolean {
  return a.cert !== b.cert || a.key !== b.key || a.clientCa !== b.clientCa;
}
