import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAuthority } from "../helpers/certificates.ts";
import { type ProxyServer, startProxyServer } from "../helpers/proxy-server.ts";
import { type FakeService, goodKey, startFakeService } from "./fake-service.ts";
import { forbiddenWords, type Outcome, outcomes, slow, tlpRed } from "./outcomes.ts";

/** One look-up as a platform asks for it. A setting that is not set is left out, or null where the platform sends null. */
export type Job = {
  readonly email: string;
  readonly url: string;
  readonly key: string;
  /** Seconds that the platform gives; without it, the connector's own. */
  readonly seconds?: number;
  /** The marking of the case or observable. */
  readonly tlp?: string;
  readonly caFile?: string;
  /** The authorities that the machine knows, for all jobs of a run the same. */
  readonly systemCaFile?: string;
  readonly verify?: boolean;
  readonly proxy?: string;
};

/** The outcome of a look-up. */
export type Seen = {
  readonly isError: boolean;
  /** The first thing that a person reads: the headline, or the platform's own error. */
  readonly said: string;
  /** Everything that the connector handed to the platform, logs too. */
  readonly output: string;
};

export type Connector = {
  /** Why it cannot run here, or null. */
  readonly missing: string | null;
  /** The name in `User-Agent: xpose-{name}/{version}`. */
  readonly name: string;
  /** Runs look-ups, side by side where it can, and returns what came of each in their order. */
  readonly lookUp: (jobs: readonly Job[]) => Promise<readonly Seen[]>;
  /** Features that the platform handles itself and that cannot be driven here. */
  readonly without?: readonly ("proxy" | "ca_file" | "system_ca" | "tlp")[];
};

type Place = {
  plain: FakeService;
  secure: FakeService;
  known: FakeService;
  proxy: ProxyServer;
  caFile: string;
  awayUrl: string;
};
type Row = {
  readonly name: string;
  readonly job: (place: Place) => Job;
  readonly judge: (seen: Seen, place: Place) => void;
};

/** The rules that all connectors keep, as one suite: the shared table of outcomes, the wire, TLS, the proxy, the time. */
export function describeConnector(connector: Connector): void {
  if (connector.missing !== null) console.warn(`connector ${connector.name}: skipped, ${connector.missing}`);
  describe.skipIf(connector.missing !== null)(`connector ${connector.name}`, () => {
    const rows = rowsOf(connector);
    const folder = mkdtempSync(join(tmpdir(), "xpose-connector-"));
    let place: Place;
    let seen: readonly Seen[] = [];

    beforeAll(async () => {
      const authority = createAuthority("connectors");
      const system = createAuthority("system");
      writeFileSync(join(folder, "ca.pem"), authority.ca);
      writeFileSync(join(folder, "system.pem"), system.ca);
      const gone = startFakeService();
      place = {
        plain: startFakeService(),
        secure: startFakeService({ certificate: authority.issue(["IP:127.0.0.1", "DNS:localhost"]) }),
        known: startFakeService({ certificate: system.issue(["IP:127.0.0.1", "DNS:localhost"]) }),
        proxy: await startProxyServer(),
        caFile: join(folder, "ca.pem"),
        awayUrl: gone.url,
      };
      await gone.stop();
      const systemCaFile = join(folder, "system.pem");
      seen = await connector.lookUp(rows.map(({ job }) => ({ ...job(place), systemCaFile })));
    }, 60_000);

    afterAll(async () => {
      await Promise.all([place.plain.stop(), place.secure.stop(), place.known.stop(), place.proxy.close()]);
      rmSync(folder, { recursive: true });
    });

    test.each(rows.map((row, at) => ({ name: row.name, row, at })))("$name", ({ row, at }) => {
      const result = seen[at];
      if (result === undefined) throw new Error("the connector answered fewer look-ups than it was given");
      row.judge(result, place);
      expect(result.output).not.toMatch(forbiddenWords);
      expect(result.output).not.toMatch(/xpz_live_[0-9a-f]{8}/);
      expect(result.output).not.toContain("proxy-secret");
    });

    test("the key is handed to nobody else, and every call says who asks", () => {
      expect(place.plain.keysSeenElsewhere).toEqual([]);
      for (const { headers, path } of place.plain.calls) {
        expect(headers["user-agent"]).toMatch(new RegExp(`^xpose-${connector.name}/\\d+\\.\\d+\\.\\d+$`));
        expect(headers["accept"]).toBe("application/json");
        expect(path).not.toContain("xpz_live_");
      }
    });

    test("one look-up is one POST that waits, polls that wait, and the case", () => {
      const calls = place.plain.callsFor("high@example.com");
      expect(calls.map(({ method }) => method)).toEqual(["POST", "GET", "GET"]);
      const [post, poll, final] = calls;
      expect(post?.path).toBe("/api/v1/soc/enrich");
      expect(post?.body).toEqual({ indicator: { type: "email", value: "high@example.com" } });
      for (const call of [post, poll])
        expect(Number(/^wait=(\d+)$/.exec(call?.headers["prefer"] ?? "")?.[1])).toBeLessThanOrEqual(50);
      expect(final?.path).toMatch(/^\/api\/v1\/soc\/enrich\/[0-9a-f-]{36}\/case$/);
    });

    test("401 and 403 are asked once, a limit that ends in time twice", () => {
      const refused = place.plain
        .callsFor("nothing@example.com")
        .filter(({ headers }) => headers["x-api-key"] !== goodKey);
      expect(refused.length).toBe(2);
      const posts = place.plain.callsFor("limited-short@example.com").filter(({ method }) => method === "POST");
      expect(posts.length).toBe(2);
    });
  });
}

function rowsOf({ without = [] }: Connector): Row[] {
  const table = outcomes.map(
    (outcome): Row => ({
      name: outcome.name,
      job: ({ plain }) => ({ email: outcome.email, url: plain.url, key: outcome.key }),
      judge: judgeBy(outcome),
    }),
  );
  const rows: Row[] = [
    ...table,
    {
      name: slow.name,
      job: ({ plain }) => ({ email: slow.email, url: plain.url, key: slow.key, seconds: 2 }),
      judge: judgeBy(slow),
    },
    {
      name: "a service that is away",
      job: ({ awayUrl }) => ({ email: "nothing@example.com", url: awayUrl, key: goodKey }),
      judge: ({ isError, said }) => {
        expect(isError).toBe(true);
        expect(said).toMatch(/^xpose does not answer: \S/);
      },
    },
    {
      name: "an unknown authority",
      job: ({ secure }) => ({ email: "nothing@example.com", url: secure.url, key: goodKey }),
      judge: ({ isError, said }) => {
        expect(isError).toBe(true);
        expect(said).toMatch(/^xpose does not answer: .*certificate/);
      },
    },
    {
      name: "verify off, and said so",
      job: ({ secure }) => ({ email: "nothing@example.com", url: secure.url, key: goodKey, verify: false }),
      judge: ({ isError, said, output }) => {
        expect({ isError, said }).toEqual({ isError: false, said: "No finding; 5 of 5 sources answered" });
        expect(output).toContain("TLS was not verified");
      },
    },
  ];
  if (!without.includes("tlp")) {
    rows.push({
      name: tlpRed.name,
      job: ({ plain }) => ({ email: tlpRed.email, url: plain.url, key: goodKey, tlp: "red" }),
      judge: (seen, { plain }) => {
        judgeBy(tlpRed)(seen);
        expect(plain.callsFor(tlpRed.email)[0]?.body).toMatchObject({ options: { tlp: "red" } });
      },
    });
  }
  if (!without.includes("ca_file")) {
    rows.push({
      name: "an authority of one's own",
      job: ({ secure, caFile }) => ({ email: "partial@example.com", url: secure.url, key: goodKey, caFile }),
      judge: (seen) => {
        expect(seen.isError, seen.said).toBe(false);
        expect(seen.said).toContain("could not look: emailrep (timeout)");
        expect(seen.output).not.toContain("TLS was not verified");
      },
    });
  }
  if (!without.includes("ca_file") && !without.includes("system_ca")) {
    rows.push({
      name: "an authority of one's own stands beside those that the machine knows",
      job: ({ known, caFile }) => ({ email: "nothing@example.com", url: known.url, key: goodKey, caFile }),
      judge: ({ isError, said }) => {
        expect({ isError, said }).toEqual({ isError: false, said: "No finding; 5 of 5 sources answered" });
      },
    });
  }
  if (!without.includes("proxy")) {
    rows.push(
      {
        name: "a proxy with a password",
        job: ({ secure, proxy, caFile }) => ({
          email: "partial@example.com",
          url: secure.url,
          key: goodKey,
          caFile,
          proxy: proxy.url.replace("://", "://soc:proxy-secret@"),
        }),
        judge: (seen, { proxy }) => {
          expect(seen.isError, seen.said).toBe(false);
          expect(proxy.seen.at(-1)?.request).toMatch(/^CONNECT 127\.0\.0\.1:\d+$/);
          expect(proxy.seen.at(-1)?.credentials).toBe(`Basic ${btoa("soc:proxy-secret")}`);
        },
      },
      {
        name: "a proxy that is away is an error, never passed by",
        job: ({ plain, awayUrl }) => ({
          email: "around@example.com",
          url: plain.url,
          key: goodKey,
          proxy: awayUrl.replace("://", "://soc:proxy-secret@"),
        }),
        judge: ({ isError, said }, { plain }) => {
          expect(isError).toBe(true);
          expect(said).toMatch(/^xpose does not answer: \S/);
          expect(plain.callsFor("around@example.com")).toEqual([]);
        },
      },
    );
  }
  return rows;
}

function judgeBy({ expected }: Outcome): (seen: Seen) => void {
  return ({ isError, said }) => {
    if ("headline" in expected) expect({ isError, said }).toEqual({ isError: false, said: expected.headline });
    else expect({ isError, said }).toEqual({ isError: true, said: expected.error });
  };
}
