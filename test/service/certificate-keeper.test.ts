import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ConfigError } from "../../src/config/error.ts";
import { keepCertificate } from "../../src/service/certificate-keeper.ts";
import type { Certificate } from "../../src/service/tls.ts";

const dayMs = 86_400_000;
const start = new Date("2026-06-01T12:00:00Z");

beforeEach(() => {
  vi.useFakeTimers({ now: start });
});
afterEach(() => {
  vi.useRealTimers();
});

function certificate(name: string, daysLeft = 90): Certificate {
  const notAfter = new Date(start.getTime() + daysLeft * dayMs);
  return { files: { cert: `cert ${name}`, key: `key ${name}`, clientCa: null }, notAfter };
}

/** Files that the test replaces, and all that was taken over and said. */
function open(first: Certificate) {
  let found: Certificate | Error = first;
  const renewed: string[] = [];
  const said: string[] = [];
  const note = (level: string) => (_fields: object, message: string) => void said.push(`${level}: ${message}`);
  const keeper = keepCertificate(first, {
    read() {
      if (found instanceof Error) throw found;
      return found;
    },
    async renew({ cert }) {
      renewed.push(cert);
    },
    now: () => new Date(),
    log: { info: note("info"), warn: note("warn"), error: note("error") },
  });
  return {
    keeper,
    renewed,
    said,
    replace(next: Certificate | Error) {
      found = next;
    },
  };
}

test("a file that was replaced is taken over within a minute, without a signal, and once", async () => {
  const { keeper, renewed, said, replace } = open(certificate("a"));
  await vi.advanceTimersByTimeAsync(180_000);
  expect(renewed).toEqual([]);
  replace(certificate("b", 180));
  await vi.advanceTimersByTimeAsync(60_000);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(renewed).toEqual(["cert b"]);
  expect(said).toEqual(["info: certificate taken over"]);
  expect(keeper.notAfter()).toEqual(certificate("b", 180).notAfter);
});

test("a pair that cannot be used is refused, said once, and taken over when it can", async () => {
  const { renewed, said, replace } = open(certificate("a"));
  replace(new ConfigError("server.tls_key", "x", "the private key of the certificate"));
  await vi.advanceTimersByTimeAsync(600_000);
  replace(certificate("b"));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(renewed).toEqual(["cert b"]);
  expect(said).toEqual(["error: certificate refused, the one in use stays", "info: certificate taken over"]);
});

test.each([
  { daysLeft: 15, said: [] },
  { daysLeft: 14, said: ["warn: the certificate expires soon"] },
  { daysLeft: 1, said: ["warn: the certificate expires soon"] },
  { daysLeft: -1, said: ["error: the certificate has expired"] },
])("with $daysLeft days left the log says at the start: $said", ({ daysLeft, said: expected }) => {
  expect(open(certificate("a", daysLeft)).said).toEqual(expected);
});

test("the end of a certificate is told once a day, and no more after a renewal", async () => {
  const { said, replace } = open(certificate("a", 13));
  await vi.advanceTimersByTimeAsync(2 * dayMs + 60_000);
  expect(said).toEqual(Array(3).fill("warn: the certificate expires soon"));
  replace(certificate("b"));
  await vi.advanceTimersByTimeAsync(5 * dayMs);
  expect(said.slice(3)).toEqual(["info: certificate taken over"]);
});

test("a keeper that was stopped looks no more", async () => {
  const { keeper, renewed, replace } = open(certificate("a"));
  await keeper.stop();
  replace(certificate("b"));
  await vi.advanceTimersByTimeAsync(dayMs);
  expect(renewed).toEqual([]);
});
