import { describe, expect, test } from "vitest";
import { AppError, SourceError } from "../src/domain/error.ts";
import { type LogOutput, type LogSettings, openLog } from "../src/log.ts";

type Line = Record<string, unknown> & { readonly err?: Described };
type Described = {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: Described;
};

/** What `events` write. */
function written(
  events: (output: LogOutput) => void,
  settings: LogSettings = { level: "info", format: "json" },
): string {
  let text = "";
  events(
    openLog(settings, (line) => {
      text += line;
    }),
  );
  return text;
}

function lines(events: (output: LogOutput) => void): Line[] {
  const text = written(events).trimEnd();
  return text === "" ? [] : text.split("\n").map((line) => JSON.parse(line) as Line);
}

/** Every field that may carry a secret or an address, in the spellings of the code and of the wire. */
const secretFields = ["key", "apiKey", "api_key", "token", "secret", "password", "authorization", "email", "value"];

describe("secrets in the log", () => {
  test.each(secretFields)("the field %s is hidden, alone and within an object", (field) => {
    const marker = "marker4711";
    const text = written(({ log }) => {
      log.info({ [field]: marker, id: 1 }, "one");
      log.info({ inner: { [field]: marker } }, "two");
      log.info({ outer: [{ middle: { inner: { [field]: { text: marker } } } }] }, "three");
    });
    expect(text).not.toContain(marker);
    expect(text.match(/\(hidden\)/g)).toHaveLength(3);
    expect(text).toContain('"id":1');
  });

  test("what a driver hangs on an error is not written, only its name, code and message", () => {
    const hung = { code: "SQLITE_FULL", statement: "marker1", options: { key: "marker2" } };
    const cause = Object.assign(new RangeError("bad"), hung);
    const [line] = lines(({ log }) =>
      log.error({ err: new AppError("unavailable", "The database is not available now", { cause }) }, "failed"),
    );
    expect(JSON.stringify(line)).not.toMatch(/marker[12]/);
    expect(line?.err).toMatchObject({
      name: "AppError",
      code: "unavailable",
      message: "The database is not available now",
      cause: { name: "RangeError", code: "SQLITE_FULL", message: "bad" },
    });
  });

  test("what is thrown and no error is not written out", () => {
    const text = written(({ log }) => {
      log.error({ err: "marker4711" }, "failed");
      log.error({ err: { a: "marker4711" } }, "failed");
    });
    expect(text).not.toContain("marker4711");
    expect(text).toContain("not an error");
  });
});

describe("errors in the log", () => {
  test("expected errors have no stack, all causes are shown", () => {
    const cause = new SourceError("tls", "unknown authority", { cause: new AppError("conflict", "inner") });
    const [line] = lines(({ log }) =>
      log.warn({ err: new SourceError("unreachable", "no answer", { cause }) }, "source failed"),
    );
    expect(line?.err).toMatchObject({
      message: "no answer",
      cause: { message: "unknown authority", cause: { message: "inner" } },
    });
    expect(JSON.stringify(line)).not.toContain('"stack"');
  });

  test("an unexpected error has its stack, also as the cause of an expected one", () => {
    const [line, nested] = lines(({ log }) => {
      log.error({ err: new TypeError("undefined is not a function") }, "failed");
      log.error({ err: new AppError("internal_error", "failed", { cause: new Error("inner") }) }, "failed");
    });
    expect(line?.err?.stack).toContain("TypeError: undefined is not a function");
    expect(nested?.err?.stack).toBeUndefined();
    expect(nested?.err?.cause?.stack).toContain("Error: inner");
  });
});

describe("lines", () => {
  test("one event is one line of JSON with level, time and fields, nothing about the machine", () => {
    const [line] = lines(({ log }) => log.warn({ source: "alpha", reason: "tls", err: undefined }, "two\nlines"));
    expect(Object.keys(line ?? {})).toEqual(["level", "time", "source", "reason", "msg"]);
    expect(line).toMatchObject({ level: 40, source: "alpha", reason: "tls", msg: "two\nlines" });
  });

  test("the level and the form change without a new logger, as on a reload", () => {
    const text = written(({ log, reconfigure }) => {
      log.debug("too low");
      reconfigure({ level: "debug", format: "pretty" });
      log.debug({ id: 1, none: undefined }, "now shown");
      reconfigure({ level: "error", format: "json" });
      log.warn("too low again");
      log.error("last");
    });
    const [pretty, json, ...more] = text.trimEnd().split("\n");
    expect(pretty).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z DEBUG now shown id=1$/);
    expect(JSON.parse(json ?? "")).toMatchObject({ level: 50, msg: "last" });
    expect(more).toEqual([]);
  });

  test("lines for people hide secrets too", () => {
    const text = written(({ log }) => log.info({ api_key: "marker4711" }, "started"), {
      level: "info",
      format: "pretty",
    });
    expect(text).toContain('started api_key="(hidden)"');
  });
});
