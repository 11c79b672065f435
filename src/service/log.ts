import type { Logger } from "pino";

/** From the least to the most urgent. */
const levels = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

export type LogLevel = (typeof levels)[number];
export type LogSettings = { readonly level: LogLevel; readonly format: "json" | "pretty" };

/** Writes one line: an event in fixed words, with its data as fields. */
type Write = (fields: object, message: string) => void;

type UsedLevel = "info" | "warn" | "error" | "fatal";

export type Log = Readonly<Record<UsedLevel, Write>> & {
  readonly isLevelEnabled: (level: LogLevel) => boolean;
};
export type LogOutput = { readonly log: Log; readonly reconfigure: (settings: LogSettings) => void };

type EarlyLine = { readonly level: UsedLevel; readonly fields: object; readonly message: string; readonly at: number };

/**
 * The first lines wait this long, or until the process ends: loading pino takes a quarter of all that the service does
 * before its first answer.
 */
const earlyLinesMs = 100;

/** Fields that must never be written, down to the third level of an object that is logged. */
const secretFields = [
  "key",
  "token",
  "secret",
  "api_key",
  "apiKey",
  "password",
  "authorization",
  "cookie",
  "x-api-key",
  "email",
  "value",
];

/**
 * The root logger: one JSON object per line on the standard error, or lines for people. Ids are logged, never a key,
 * an address or a finding.
 */
export function openLog(first: LogSettings): LogOutput {
  let settings = first;
  let logger: Logger | null = null;
  const early: EarlyLine[] = [];
  let writtenAt: number | null = null;

  const isLevelEnabled = (level: LogLevel) => levels.indexOf(level) >= levels.indexOf(settings.level);

  function open(): Logger {
    const opened = openLogger(
      () => settings.format === "pretty",
      () => writtenAt ?? Date.now(),
    );
    for (const { level, fields, message, at } of early.splice(0)) {
      writtenAt = at;
      opened[level](fields, message);
    }
    writtenAt = null;
    logger = opened;
    return opened;
  }

  function openForEarlyLines(): void {
    if (early.length > 0) open();
  }

  const at =
    (level: UsedLevel): Write =>
    (fields, message) => {
      if (!isLevelEnabled(level)) return;
      if (logger !== null) return logger[level](fields, message);
      // The process ends.
      if (level === "fatal") return open()[level](fields, message);
      early.push({ level, fields, message, at: Date.now() });
      if (early.length > 1) return;
      setTimeout(openForEarlyLines, earlyLinesMs).unref();
      process.once("exit", openForEarlyLines);
    };
  return {
    log: { info: at("info"), warn: at("warn"), error: at("error"), fatal: at("fatal"), isLevelEnabled },
    reconfigure(next) {
      openForEarlyLines();
      settings = next;
    },
  };
}

function openLogger(isPretty: () => boolean, timeMs: () => number): Logger {
  const { pino }: typeof import("pino") = require("pino");
  const paths = secretFields.flatMap((field) => ["", "*", "*.*"].map((parent) => `${parent}["${field}"]`));
  const plain = pino.destination({ fd: 2, sync: true });
  const write = (line: string) => (isPretty() ? writePretty(line, pino.levels.labels) : plain.write(line));
  return pino(
    {
      // What is below the wanted level never comes here.
      level: "trace",
      base: null,
      timestamp: () => `,"time":${timeMs()}`,
      redact: { paths, censor: "(hidden)" },
      serializers: { err: describeError },
    },
    { write },
  );
}

/** Name, message and causes. No stack outside of unexpected errors, and no other property: drivers hang statements and options on errors. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { message: "not an error" };
  const { name, message, cause } = error;
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  const isUnexpected = name === "TypeError" || name === "RangeError" || name === "ReferenceError" || name === "Error";
  return {
    name,
    code,
    message,
    ...(isUnexpected ? { stack: error.stack } : {}),
    ...(cause === undefined ? {} : { cause: describeError(cause) }),
  };
}

function writePretty(line: string, labels: Readonly<Record<number, string>>): void {
  const { level, time, msg, ...fields } = JSON.parse(line) as { level: number; time: number; msg: string };
  const label = labels[level]?.toUpperCase().padEnd(5) ?? String(level);
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
  process.stderr.write(`${new Date(time).toISOString()} ${label} ${msg}${rest.join("")}\n`);
}
