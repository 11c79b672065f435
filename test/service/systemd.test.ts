import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Notifier, openNotifier } from "../../src/service/systemd.ts";
import { openDatagramReceiver } from "../helpers/datagram-receiver.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "xpose-systemd-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const pid = 4711;

/** Every message that was received while `work` ran, in order. */
function messagesOn(name: string, work: (notifier: Notifier) => void, env: Record<string, string> = {}): string[] {
  const receiver = openDatagramReceiver(name);
  const notifier = openNotifier({ NOTIFY_SOCKET: name, ...env }, pid);
  try {
    work(notifier);
    const messages: string[] = [];
    for (let message = receiver.receive(); message !== null; message = receiver.receive()) messages.push(message);
    return messages;
  } finally {
    receiver.close();
  }
}

describe("messages to the service manager", () => {
  test.each(["a file", "an abstract name"])("each state is one datagram to %s", (place) => {
    const name = place === "a file" ? join(folder, "notify") : `@${folder.slice(1)}`;
    const messages = messagesOn(name, (notifier) => {
      expect(notifier.ready()).toBe(true);
      expect(notifier.stopping(9_000)).toBe(true);
    });
    expect(messages).toEqual(["READY=1", "STOPPING=1\nEXTEND_TIMEOUT_USEC=9000000"]);
  });

  test("a reload tells its time on the clock of the system, not of the process", () => {
    const [message = ""] = messagesOn(join(folder, "notify"), (notifier) => notifier.reloading());
    const usec = /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(message)?.[1] ?? "0";
    // The machine was up before this process was.
    expect(Number(usec) / 1000).toBeGreaterThan(performance.now());
  });

  test("without a socket nothing is sent, and that is no failure", () => {
    for (const env of [{}, { NOTIFY_SOCKET: "" }, { NOTIFY_SOCKET: "vsock:2:1234" }, { NOTIFY_SOCKET: "relative" }]) {
      const notifier = openNotifier(env, pid);
      expect([notifier.ready(), notifier.reloading(), notifier.stopping(9_000)]).toEqual([true, true, true]);
    }
  });

  test("a manager that cannot be reached is reported, and no descriptor is left open", () => {
    const notifier = openNotifier({ NOTIFY_SOCKET: join(folder, "nobody") }, pid);
    expect(notifier.ready()).toBe(false);
    const openCount = readdirSync("/proc/self/fd").length;
    for (let count = 0; count < 50; count++) expect(notifier.reloading()).toBe(false);
    expect(readdirSync("/proc/self/fd").length).toBeLessThan(openCount + 50);
  });
});

describe("the watchdog", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  /** How often it is fed in a minute of service that begins with two `ready` and in a minute after `stopping`. */
  function feedings(env: Record<string, string>): number[] {
    const messages = messagesOn(
      join(folder, "notify"),
      (notifier) => {
        vi.advanceTimersByTime(60_000);
        notifier.ready();
        notifier.ready();
        vi.advanceTimersByTime(60_000);
        notifier.stopping(9_000);
        vi.advanceTimersByTime(60_000);
      },
      env,
    );
    const [begun, ended] = [messages.indexOf("READY=1"), messages.indexOf("STOPPING=1")];
    const spans = [messages.slice(0, begun), messages.slice(begun, ended), messages.slice(ended)];
    return spans.map((span) => span.filter((message) => message === "WATCHDOG=1").length);
  }

  test.each([{ WATCHDOG_USEC: "30000000" }, { WATCHDOG_USEC: "30000000", WATCHDOG_PID: "4711" }])(
    "%j is fed in half of its time, from ready to stopping only",
    (env) => {
      expect(feedings(env)).toEqual([0, 4, 0]);
    },
  );

  test.each([
    { WATCHDOG_USEC: "30000000", WATCHDOG_PID: "4712" },
    { WATCHDOG_USEC: "0" },
    { WATCHDOG_USEC: "soon" },
    {},
  ])("%j is no watchdog of ours", (env) => {
    expect(feedings(env)).toEqual([0, 0, 0]);
  });
});
