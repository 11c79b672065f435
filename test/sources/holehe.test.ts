import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type ChildRunner, openChildRunner } from "../../src/egress/child.ts";
import { holehe } from "../../src/sources/holehe.ts";
import { askHolehe, installPython } from "../helpers/ask-holehe.ts";
import { isGone } from "../helpers/is-gone.ts";
import { startProxyServer } from "../helpers/proxy-server.ts";
import { installHoleheDouble, missingPythonPackages, systemPython } from "../helpers/python-environment.ts";

/** Why the Python tests cannot run, or null. */
const whyNot = missingPythonPackages();

type Python = {
  /** The interpreter. It sees the system's packages and those in `packages`. */
  readonly python: string;
  readonly packages: string;
  /** The called functions of the double, sorted; a function called twice is listed twice. */
  readonly called: () => string[];
  /** The text written by a module to a file with this name, beside the package. */
  readonly noted: (name: string) => string | null;
};

/** An interpreter with the double of holehe and further modules by name, in the folder `chaos`. */
function installDouble(modules: Readonly<Record<string, string>> = {}): Python {
  const { python, packages } = installPython();
  const root = installHoleheDouble(packages);
  const chaos = join(root, "modules/chaos");
  mkdirSync(chaos);
  writeFileSync(join(chaos, "__init__.py"), "");
  for (const [name, code] of Object.entries(modules)) writeFileSync(join(chaos, `${name}.py`), code);
  const noted = (name: string) => (existsSync(join(root, name)) ? readFileSync(join(root, name), "utf8") : null);
  return { python, packages, noted, called: () => (noted("called") ?? "").split("\n").filter(Boolean).sort() };
}

/** The code of a module: its function runs `body`, then reports the address as unused on `<name>.example`. */
function moduleOf(name: string, body: string): string {
  const lines = body.split("\n").map((line) => `    ${line}`);
  return `from holehe.core import *
from holehe.localuseragent import *

async def ${name}(email, client, out):
${lines.join("\n")}
    out.append(row("${name}", "${name}.example", False))
`;
}

const shopFinding = {
  category: "account",
  severity: "low",
  title: "Account registered on shop.example",
  sourceUrl: "https://shop.example",
  subjects: ["shop.example"],
  years: [],
};
/** Two modules of the double fail to import, and one reports "rate limit". */
const details = { rate_limited_sites: [], unusable_sites: ["slow.example"], sites_asked: 7, sites_failed: 3 };
/** The same with a further failing module. */
const detailsWithOdd = { sites_asked: 8, sites_failed: 4 };

describe.skipIf(whyNot !== null)("with the Python packages", () => {
  test("an account known to a site is a finding; an unknown account is not", async () => {
    const { python } = installDouble();
    const findings = [{ ...shopFinding, details: [details] }];
    expect(await askHolehe({ python })).toEqual({ findings, missing: ["3 of 7 sites"] });
  });

  test("an unknown address gives no finding, and sites without an answer are still reported", async () => {
    const { python } = installDouble();
    const reply = await askHolehe({ python, email: "john.roe@example.org" });
    expect(reply).toEqual({ findings: [], missing: ["3 of 7 sites"] });
  });

  test("the self-update, password recoveries and sensitive sites are never called", async () => {
    const { python, called } = installDouble();
    await askHolehe({ python });
    expect(new Set(called())).toEqual(new Set(["market", "shop", "slow", "songs", "tunes"]));
  });

  test("sensitive sites are asked if the operator allows it, but never a password recovery", async () => {
    const { python, called } = installDouble();
    const { findings } = await askHolehe({ python, allowSensitive: true });
    expect(new Set(called())).toEqual(new Set(["bodies", "market", "meet", "shop", "slow", "songs", "tunes"]));
    expect(findings.flatMap(({ subjects }) => subjects)).toEqual(["meet.example", "pornhub.com", "shop.example"]);
  });

  test("further names, numbers and addresses found by a module are dropped in the child", async () => {
    const { python } = installDouble();
    const outputs: string[] = [];
    await askHolehe({ python, child: watching(outputs) });
    expect(outputs.join()).toContain("shop.example");
    expect(outputs.join()).not.toMatch(/Jane|0\*|ja\*|others|emailrecovery|phoneNumber/);
  });

  test("the address and the nonce are only in the input of the child, never in its arguments or environment", async () => {
    const body = `with open(os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(__file__))), "seen"), "wb") as file:
    file.write(open("/proc/self/cmdline", "rb").read() + b"|" + open("/proc/self/environ", "rb").read())`;
    const { python, noted } = installDouble({ spying: moduleOf("spying", body) });
    const inputs: string[] = [];
    await askHolehe({ python, child: watching([], inputs) });
    const seen = noted("seen") ?? "";
    const { nonce } = JSON.parse(inputs[0] ?? "{}");
    expect(seen).toContain("-I\0-c\0");
    expect(seen).toContain("LANG=C.UTF-8");
    expect(nonce).toMatch(/^[0-9a-f-]{36}$/);
    expect(seen).not.toContain(nonce);
    expect(seen.toLowerCase()).not.toMatch(/jane|example\.com/);
  });

  test("requests go through the outbound proxy", async () => {
    const proxy = await startProxyServer();
    onTestFinished(proxy.close);
    const asking = moduleOf("asking", 'await client.get("http://asking.example/check", params={"mail": email})');
    const { python } = installDouble({ asking });
    await askHolehe({ python, proxy: proxy.url });
    expect(proxy.seen.map(({ request }) => request)).toEqual([
      "GET http://asking.example/check?mail=jane.doe%2Bx%40example.com",
    ]);
  });

  test("a site behind a dead proxy fails, and is not asked directly", async () => {
    const proxy = await startProxyServer();
    await proxy.close();
    const direct = await startProxyServer();
    onTestFinished(direct.close);
    const { python } = installDouble({ asking: moduleOf("asking", `await client.get("${direct.url}/check")`) });
    const { findings } = await askHolehe({ python, proxy: proxy.url });
    expect(findings).toMatchObject([{ details: [detailsWithOdd] }]);
    expect(direct.seen).toEqual([]);
  });

  // Each runs beside the modules of the double, whose finding must still be there.
  const harmless: [string, string][] = [
    ["raises", "raise RuntimeError(email)"],
    ["exits", 'exit("out")'],
    ["is interrupted", "raise KeyboardInterrupt()"],
    ["says nothing", "return"],
    ["returns an invalid row", "out.append(email); return"],
    ["returns two rows", 'out.append(row("x", "x.example", True))'],
    ["names no domain", 'out.append({"exists": True, "rateLimit": False}); return'],
    ["names an invalid domain", 'out.append(row("x", "javascript:alert(1)//\\u202e", True)); return'],
    ["reports its own error", 'out.append(row("x", "x.example", False, error=True)); return'],
    ["forks", "os.fork()"],
    ["runs pip", 'Popen(["pip3", "install", "--upgrade", "holehe"])'],
    ["runs a shell", 'os.system("true")'],
  ];
  test.each(harmless)("a module that %s counts as one failed site", async (_what, body) => {
    const { python } = installDouble({ odd: moduleOf("odd", body) });
    const { findings } = await askHolehe({ python });
    expect(findings).toMatchObject([{ ...shopFinding, details: [detailsWithOdd] }]);
    expect(findings.length).toBe(1);
  });

  const unheard: [string, string][] = [
    ["prints", 'print(json.dumps({"domain": "forged.example", "exists": True, "rateLimit": False, "error": False}))'],
    ["floods the standard streams", 'os.write(1, b"x" * 50_000_000); os.write(2, b"x" * 50_000_000)'],
    ["writes to the descriptor of the results", 'os.write(3, b"x" * 50_000_000)'],
    ["reads the input", "assert os.read(0, 10) == b''"],
    ["ignores TERM", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"],
    [
      "writes forged results to every open file",
      `line = b'{"domain": "forged.example", "exists": true, "rateLimit": false, "error": false}'
for descriptor in map(int, os.listdir("/proc/self/fd")):
    for forged in (line + b"\\n", b"00000000-0000-4000-8000-000000000000 " + line + b"\\n", b"no line break"):
        try:
            if descriptor >= 100: os.write(descriptor, forged)
        except OSError: pass`,
    ],
  ];
  test.each(unheard)("a module that %s changes nothing", async (_what, body) => {
    const { python } = installDouble({ odd: moduleOf("odd", body) });
    expect((await askHolehe({ python })).findings).toEqual([
      { ...shopFinding, details: [{ ...details, sites_asked: 8 }] },
    ]);
  });

  test("a process forked by a module through ctypes is killed at the end of the run", async () => {
    const body = `import ctypes
identity = ctypes.CDLL(None).fork()
if identity == 0:
    import time
    time.sleep(60)
    os._exit(0)
with open(os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(__file__))), "forked"), "w") as file:
    file.write(str(identity))`;
    const { python, noted } = installDouble({ odd: moduleOf("odd", body) });
    expect((await askHolehe({ python })).findings).toMatchObject([{ subjects: ["shop.example"] }]);
    await expect.poll(() => isGone(Number(noted("forked"))), { interval: 5, timeout: 2_000 }).toBe(true);
  });

  const fatal: [string, string, string][] = [
    ["ends the process", "await trio.sleep(0.2); os._exit(0)", "bad_answer"],
    ["crashes the process", "import ctypes; ctypes.string_at(0)", "bad_answer"],
    ["kills its own group", "import signal; os.killpg(0, signal.SIGKILL)", "bad_answer"],
    [
      "hangs, and TERM with it",
      "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)",
      "timeout",
    ],
    ["never stops computing", "while True: pass", "timeout"],
    [
      "finds and floods the result channel",
      `for descriptor in map(int, os.listdir("/proc/self/fd")):
    try:
        while descriptor >= 100: os.write(descriptor, b"x" * 100_000)
    except OSError: pass`,
      "too_large",
    ],
  ];
  test.each(fatal)("a run with a module that %s fails in time, in little memory", async (_what, body, reason) => {
    const { python } = installDouble({ odd: moduleOf("odd", body) });
    const deadlineMs = reason === "timeout" ? 1_500 : 20_000;
    Bun.gc(true);
    const startBytes = process.memoryUsage.rss();
    const startedAt = performance.now();
    await expect(askHolehe({ python, deadlineMs })).rejects.toMatchObject({ name: "SourceError", reason });
    expect(performance.now() - startedAt).toBeLessThan(deadlineMs + 2_000);
    expect(process.memoryUsage.rss() - startBytes).toBeLessThan(64 * 1024 * 1024);
  });

  test("a site that does not answer in time fails alone", async () => {
    const { python } = installDouble({ odd: moduleOf("odd", "await trio.sleep_forever()") });
    const { findings } = await askHolehe({ python, secondsPerQuestion: 0.3 });
    const unusable = ["odd.example", "slow.example"];
    expect(findings).toEqual([
      { ...shopFinding, details: [{ ...details, ...detailsWithOdd, unusable_sites: unusable }] },
    ]);
  });

  test("slow name resolution of one site does not delay others", async () => {
    // Resolves a name like trio: in a thread that is abandoned at the time-out.
    const hanging = `from functools import partial
from time import sleep
async with trio.open_nursery() as nursery:
    for _ in range(50): nursery.start_soon(partial(trio.to_thread.run_sync, sleep, 3, cancellable=True))`;
    const looking = 'await trio.sleep(0.2); await trio.socket.getaddrinfo("localhost", 80)';
    const modules = { hanging: moduleOf("hanging", hanging), looking: moduleOf("looking", looking) };
    const { python } = installDouble(modules);
    const { findings } = await askHolehe({ python, secondsPerQuestion: 1 });
    const unusable = ["hanging.example", "slow.example"];
    expect(findings).toMatchObject([{ details: [{ sites_asked: 9, sites_failed: 4, unusable_sites: unusable }] }]);
  });

  test("an interpreter without the package is not_installed, and names the package", async () => {
    const outcome = askHolehe({ python: installPython().python });
    await expect(outcome).rejects.toMatchObject({
      reason: "not_installed",
      message: expect.stringContaining("holehe"),
    });
  });

  test.each(["httpx", "trio", "bs4", "termcolor"])("holehe without %s is not_installed, and names it", async (name) => {
    const { python, packages } = installDouble();
    writeFileSync(join(packages, `${name}.py`), `raise ModuleNotFoundError("gone", name="${name}")`);
    const outcome = askHolehe({ python });
    await expect(outcome).rejects.toMatchObject({ reason: "not_installed", message: expect.stringContaining(name) });
  });

  test("a package that cannot be imported is not_installed", async () => {
    const { python, packages } = installDouble();
    writeFileSync(join(packages, "holehe/core.py"), "exit(1)");
    await expect(askHolehe({ python })).rejects.toMatchObject({ reason: "not_installed" });
  });
});

test("a machine without the interpreter is not_installed", async () => {
  const outcome = askHolehe({ python: "no-such-python" });
  await expect(outcome).rejects.toMatchObject({ name: "SourceError", reason: "not_installed" });
});

beforeAll(() => {
  if (whyNot !== null) console.warn(`holehe: tests skipped, ${systemPython} lacks packages: ${whyNot}`);
});

/** Runs the child as usual and records its input and output. */
function watching(outputs: string[], inputs: string[] = []): ChildRunner {
  const now = () => new Date("2026-01-01T00:00:00Z");
  const common = { path: "/usr/bin:/bin", proxy: null, noProxy: [], extraCa: null, maxConcurrent: 1 };
  const runner = openChildRunner({ ...common, homesIn: tmpdir(), now });
  return {
    async run(request) {
      inputs.push(request.stdin);
      const report = await runner.run(request);
      outputs.push(Buffer.from(report.output).toString());
      return report;
    },
  };
}

/** A child that writes these messages; `end` is the end mark with their count. */
function saying(messages: readonly unknown[], end: unknown = { sites: messages.length }): ChildRunner {
  return {
    async run({ stdin }) {
      const { nonce } = JSON.parse(stdin);
      const lines = [...messages, ...(end === null ? [] : [end])].map(
        (message) => `${nonce} ${JSON.stringify(message)}`,
      );
      return { exitCode: 0, output: new TextEncoder().encode(lines.join("\n")) };
    },
  };
}

type Report = { readonly domain: string | null; readonly outcome: string; readonly detail: string | null };

const site = (domain: string | null, outcome = "exists", detail: string | null = null): Report => ({
  domain,
  outcome,
  detail,
});
/** One report per outcome, with sites named by number. */
const sites = (...outcomes: readonly string[]) =>
  outcomes.map((outcome, index) => site(`site${index}.example`, outcome));
const many = (count: number, outcome: string) => Array.from({ length: count }, () => outcome);

const hear = (messages: readonly unknown[], end?: unknown) =>
  askHolehe({ python: "python3", child: saying(messages, end) });

describe("the driver's report", () => {
  test.each<[string, unknown[], string]>([
    ["of nothing is a bad answer", [], "bad_answer"],
    ["of sensitive sites only is a bad answer", [site("pornhub.com")], "bad_answer"],
    ["of another shape is a bad answer", [site("a.example"), { domain: 5 }], "bad_answer"],
    ["with an unknown outcome is a bad answer", [site("a.example", "perhaps")], "bad_answer"],
    ["of a missing package says so", [{ missing: "trio" }], "not_installed"],
  ])("%s", async (_what, messages, reason) => {
    await expect(hear(messages)).rejects.toMatchObject({ name: "SourceError", reason });
  });

  test.each<[string, unknown]>([
    ["has no end mark", null],
    ["counts more sites than it reports", { sites: 2 }],
    ["counts fewer sites than it reports", { sites: 0 }],
  ])("is a bad answer when it %s", async (_what, end) => {
    await expect(hear([site("a.example", "unused")], end)).rejects.toMatchObject({ reason: "bad_answer" });
  });

  test("is dropped for sensitive sites, their subdomains, and the site whose module asks another", async () => {
    const domains = ["fetlife.com", "www.Pornhub.com", "parler.com", "facebook.com", "shop.example", "notparler.com"];
    const { findings, missing } = await hear(domains.map((domain) => site(domain)));
    expect(findings.flatMap(({ subjects }) => subjects)).toEqual(["notparler.com", "shop.example"]);
    expect(missing).toEqual([]);
  });

  test("never names a sensitive site, even among those without an answer", async () => {
    const unusable = [site("pornhub.com", "rate_limited"), site("parler.com", "unreachable")];
    const { findings, missing } = await hear([site("shop.example"), ...unusable]);
    expect(findings).toMatchObject([{ details: [{ rate_limited_sites: [], unusable_sites: [], sites_asked: 1 }] }]);
    expect(missing).toEqual([]);
  });

  test("shows only canonical domains", async () => {
    const odd = ["b\u0000.example", "a.example/?q", "", "x"].map((text) => site(text));
    const good = ["SHOP.example", "b.example", "c.example", "d.example"];
    const { findings, missing } = await hear([...odd, ...good.map((text) => site(text))]);
    expect(findings.map(({ title }) => title)).toContain("Account registered on shop.example");
    expect(findings.length).toBe(4);
    expect(missing).toEqual(["4 of 8 sites"]);
  });

  test("about a site asked by two modules is one finding", async () => {
    expect((await hear([site("shop.example"), site("shop.example")])).findings.length).toBe(1);
  });

  test("with a hostile package name does not repeat it", async () => {
    const hostile = "x\u001b[2J y";
    const reports = [[{ missing: hostile }], [site(null, "not_installed", hostile)]];
    for (const report of reports) {
      const outcome = hear(report);
      await expect(outcome).rejects.toMatchObject({ message: expect.not.stringContaining("\u001b") });
    }
  });
});

describe("the quorum", () => {
  test.each<[number, number, string[]]>([
    [4, 0, []],
    [3, 1, ["1 of 4 sites"]],
    [2, 2, ["2 of 4 sites"]],
  ])(
    "%i usable answers and %i unusable ones are an answer, and the rest is reported",
    async (usable, unusable, missing) => {
      const unanswered = many(unusable, "timeout");
      const unused = await hear(sites(...many(usable, "unused"), ...unanswered));
      const exists = await hear(sites(...many(usable, "exists"), ...unanswered));
      expect([unused, exists.findings.length, exists.missing]).toEqual([{ findings: [], missing }, usable, missing]);
    },
  );

  test.each<[string, string[], string]>([
    ["the only reason", many(3, "unreachable"), "unreachable"],
    ["the most frequent reason, not a prominent one", ["rate_limited", "rate_limited", ...many(3, "tls")], "tls"],
    [
      "the reason of the failed sites, whatever the others answered",
      ["exists", "unused", ...many(3, "http_4xx")],
      "http_4xx",
    ],
    [
      "the alphabetically first of two equally frequent reasons",
      ["timeout", "redirect", "timeout", "redirect"],
      "redirect",
    ],
  ])("below half of the sites it fails, for %s", async (_what, outcomes, reason) => {
    await expect(hear(sites(...outcomes))).rejects.toMatchObject({ name: "SourceError", reason });
  });

  test("a failure states how many sites had its reason, with their most frequent detail", async () => {
    const refused = ["r0.example", "r1.example"].map((domain) => site(domain, "unreachable", "connection refused"));
    await expect(hear([...refused, ...sites("unreachable", "timeout", "exists")])).rejects.toMatchObject({
      reason: "unreachable",
      message: "4 of 5 sites gave no usable answer, 3 of them for this reason: connection refused",
    });
    await expect(hear([...refused, ...sites(...many(3, "unreachable"))])).rejects.toMatchObject({
      message: "5 of 5 sites gave no usable answer, 5 of them for this reason",
    });
  });

  test("modules that lack a package make the source not_installed, with the package named", async () => {
    const lacking = many(3, "not_installed").map((outcome) => site(null, outcome, "bs4"));
    await expect(hear([site("shop.example"), ...lacking])).rejects.toMatchObject({
      reason: "not_installed",
      message: "the Python package bs4 is missing or cannot be imported",
    });
  });

  test("a no from a site that always says no is unusable; its yes counts", async () => {
    const liars = ["blip.fm", "en.gravatar.com", "office365.com"];
    await expect(hear([site("shop.example"), ...liars.map((domain) => site(domain, "unused"))])).rejects.toMatchObject({
      reason: "bad_answer",
    });
    const { findings, missing } = await hear([site("blip.fm"), site("en.gravatar.com", "unused")]);
    expect(findings).toMatchObject([
      { subjects: ["blip.fm"], details: [{ unusable_sites: ["en.gravatar.com"], sites_asked: 2, sites_failed: 1 }] },
    ]);
    expect(missing).toEqual(["1 of 2 sites"]);
  });

  test("the details separate rate-limited sites from other sites without an answer", async () => {
    const reports = [
      site("shop.example"),
      site("b.example", "rate_limited"),
      site("a.example", "timeout"),
      site(null, "tls"),
    ];
    const { findings } = await hear([...reports, ...sites("unused", "unused")]);
    const told = { rate_limited_sites: ["b.example"], unusable_sites: ["a.example"], sites_asked: 6, sites_failed: 3 };
    expect(findings).toMatchObject([{ details: [told] }]);
  });
});

describe("an address", () => {
  const taskFor = async (email: string) => {
    let task: { email: string; unsupported: string[] } | undefined;
    const child: ChildRunner = {
      run(request) {
        task = JSON.parse(request.stdin);
        return saying(sites("unused")).run(request);
      },
    };
    await askHolehe({ python: "python3", email, child });
    return task;
  };

  test.each(["-rf@example.com", "o'brien@example.com", "josé@example.com", "{a}|b~c@xn--mnchen-3ya.example"])(
    "%s is sent unchanged",
    async (email) => {
      expect(await taskFor(email)).toMatchObject({ email, unsupported: [] });
    },
  );

  test.each([
    "a+b@example.com",
    "a#b@example.com",
    "a&b@example.com",
    "a%41@example.com",
    "a/b@example.com",
    "a?b@example.com",
  ])("%s is not sent through modules that would change it", async (email) => {
    expect(await taskFor(email)).toMatchObject({ email, unsupported: ["soundcloud", "xnxx"] });
  });
});

test("a run that cannot end before the deadline does not wait for a slot", async () => {
  const starts: Date[] = [];
  const child: ChildRunner = {
    run: (request) => {
      starts.push(request.latestStart);
      return saying(sites("exists")).run(request);
    },
  };
  await askHolehe({ python: "python3", child, deadlineMs: 60_000 });
  expect(starts).toEqual([new Date("2026-01-01T00:00:35Z")]);
});

describe("the settings", () => {
  test("have defaults", () => {
    expect(holehe.settings.parse({})).toEqual({ python: "python3", allow_sensitive: false });
  });

  test.each([{ python: "/opt/holehe/bin/python" }, { python: "python3.12" }, { allow_sensitive: true }])(
    "accept %o",
    (settings) => {
      expect(holehe.settings.safeParse(settings)).toMatchObject({ success: true, data: settings });
    },
  );

  test.each([
    { python: "" },
    { python: "bin/python" },
    { python: "./python" },
    { python: "-c" },
    { python: "python\n3" },
    { python: 3 },
    { allow_sensitive: "yes" },
    { argv: ["holehe"] },
  ])("refuse %o", (settings) => {
    expect(holehe.settings.safeParse(settings).success).toBe(false);
  });
});
