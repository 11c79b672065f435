import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const logFile = fileURLToPath(new URL("../../src/service/log.ts", import.meta.url));
const sinkFile = fileURLToPath(new URL("../../src/service/log-sink.ts", import.meta.url));
const errorFile = fileURLToPath(new URL("../../src/domain/error.ts", import.meta.url));

type Line = Record<string, unknown> & { readonly err?: Described };
type Described = {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: Described;
};

/** The output of `statements` on the standard error of a separate process: the log goes to the real descriptor. */
function written(statements: string, settings = { level: "info", format: "json" }): string {
  const code = `
    import { openLog } from ${JSON.stringify(logFile)};
    import { openLogSink } from ${JSON.stringify(sinkFile)};
    import { AppError, SourceError } from ${JSON.stringify(errorFile)};
    const { log, reconfigure } = openLog(${JSON.stringify(settings)}, openLogSink().write);
    ${statements}`;
  const { stderr, exitCode } = Bun.spawnSync([process.execPath, "-e", code], { stdout: "ignore", stderr: "pipe" });
  if (exitCode !== 0) throw new Error(stderr.toString());
  return stderr.toString();
}

function lines(statements: string): Line[] {
  const text = written(statements).trimEnd();
  return text === "" ? [] : text.split("\n").map((line) => JSON.parse(line) as Line);
}

/** Every field that may carry a secret or an address, in the spellings of the code and of the wire. */
const secretFields = ["key", "apiKey", "api_key", "token", "secret", "password", "authorization", "email", "value"];

describe("secrets in the log", () => {
  test.each(secretFields)("the field %s is hidden, alone and within an object", (field) => {
    const marker = "marker4711";
    const text = written(`
      log.info({ ${JSON.stringify(field)}: "${marker}", id: 1 }, "one");
      log.info({ inner: { ${JSON.stringify(field)}: "${marker}" } }, "two");`);
    expect(text).not.toContain(marker);
    expect(text.match(/\(hidden\)/g)).toHaveLength(2);
    expect(text).toContain('"id":1');
  });

  test("what a driver hangs on an error is not written, only its name, code and message", () => {
    const [line] = lines(`
      const cause = Object.assign(new RangeError("bad"), { code: "SQLITE_FULL", statement: "marker1", options: { key: "marker2" } });
      log.error({ err: new AppError("unavailable", "The database is not available now", { cause }) }, "failed");`);
    expect(JSON.stringify(line)).not.toMatch(/marker[12]/);
    expect(line?.err).toMatchObject({
      name: "AppError",
      code: "unavailable",
      message: "The database is not available now",
      cause: { name: "RangeError", code: "SQLITE_FULL", message: "bad" },
    });
  });

  test("what is thrown and no error is not written out", () => {
    const text = written(
      `log.error({ err: "marker4711" }, "failed"); log.error({ err: { a: "marker4711" } }, "failed");`,
    );
    expect(text).not.toContain("marker4711");
    expect(text).toContain("not an error");
  });
});

describe("errors in the log", () => {
  test("expected errors have no stack, all causes are shown", () => {
    const [line] = lines(`
      const cause = new SourceError("tls", "unknown authority", { cause: new AppError("conflict", "inner") });
      log.warn({ err: new SourceError("unreachable", "no answer", { cause }) }, "source failed");`);
    expect(line?.err).toMatchObject({
      message: "no answer",
      cause: { message: "unknown authority", cause: { message: "inner" } },
    });
    expect(JSON.stringify(line)).not.toContain('"stack"');
  });

  test("an unexpected error has its stack, also as the cause of an expected one", () => {
    const [line, nested] = lines(`
      log.error({ err: new TypeError("undefined is not a function") }, "failed");
      log.error({ err: new AppError("internal_error", "failed", { cause: new Error("inner") }) }, "failed");`);
    expect(line?.err?.stack).toContain("TypeError: undefined is not a function");
    expect(nested?.err?.stack).toBeUndefined();
    expect(nested?.err?.cause?.stack).toContain("Error: inner");
  });
});

describe("lines", () => {
  test("one event is one line of JSON with level, time and fields, nothing about the machine", () => {
    const [line] = lines(`log.warn({ source: "alpha", reason: "tls" }, "two\\nlines");`);
    expect(Object.keys(line ?? {})).toEqual(["level", "time", "source", "reason", "msg"]);
    expect(line).toMatchObject({ level: 40, source: "alpha", reason: "tls", msg: "two\nlines" });
  });

  test("the level and the form change without a new logger, as on a reload", () => {
    const text = written(`
      reconfigure({ level: "warn", format: "json" });
      log.info({}, "too low");
      reconfigure({ level: "info", format: "pretty" });
      log.info({ id: 1 }, "now shown");
      reconfigure({ level: "error", format: "json" });
      log.warn({}, "too low again");
      log.error({}, "last");`);
    const [pretty, json, ...more] = text.trimEnd().split("\n");
    expect(pretty).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z INFO {2}now shown id=1$/);
    expect(JSON.parse(json ?? "")).toMatchObject({ level: 50, msg: "last" });
    expect(more).toEqual([]);
  });

  test("lines for people hide secrets too", () => {
    const text = written(`log.info({ api_key: "marker4711" }, "started");`, { level: "info", format: "pretty" });
    expect(text).toContain('started api_key="(hidden)"');
  });
});
