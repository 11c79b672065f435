import type { Logger } from "pino";

/** From the least to the most urgent. */
const levels = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

export type LogLevel = (typeof levels)[number];
export type LogSettings = { readonly level: LogLevel; readonly format: "json" | "pretty" };

/** Writes one line: a fixed message, with its data as fields. */
type Write = (fields: object, message: string) => void;

type UsedLevel = "info" | "warn" | "error" | "fatal";

export type Log = Readonly<Record<UsedLevel, Write>> & {
  readonly isLevelEnabled: (level: LogLevel) => boolean;
};
export type LogOutput = {
  readonly log: Log;
  readonly isPretty: () => boolean;
  readonly reconfigure: (settings: LogSettings) => void;
};

/** Fields that must never be written, down to the third level of a logged object. */
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
 * The root logger. Writes one JSON object per line, or lines for people. `write` takes whole lines. Logs ids, never a
 * key, an address or a finding.
 */
export function openLog(first: LogSettings, write: (line: string) => void): LogOutput {
  let settings = first;
  let logger: Logger | null = null;
  const isPretty = () => settings.format === "pretty";
  const isLevelEnabled = (level: LogLevel) => levels.indexOf(level) >= levels.indexOf(settings.level);

  const at =
    (level: UsedLevel): Write =>
    (fields, message) => {
      if (!isLevelEnabled(level)) return;
      // Opened with the first line: loading the library takes a quarter of the whole time before the first answer.
      logger ??= openLogger((line, labels) => write(isPretty() ? prettyLine(line, labels) : line));
      logger[level](fields, message);
    };
  return {
    log: { info: at("info"), warn: at("warn"), error: at("error"), fatal: at("fatal"), isLevelEnabled },
    isPretty,
    reconfigure(next) {
      settings = next;
    },
  };
}

type Labels = Readonly<Record<number, string>>;

function openLogger(write: (line: string, labels: Labels) => void): Logger {
  const { pino }: typeof import("pino") = require("pino");
  const paths = secretFields.flatMap((field) => ["", "*", "*.*"].map((parent) => `${parent}["${field}"]`));
  return pino(
    {
      // Lines below the configured level are filtered out before.
      level: "trace",
      base: null,
      redact: { paths, censor: "(hidden)" },
      serializers: { err: describeError },
    },
    { write: (line: string) => write(line, pino.levels.labels) },
  );
}

/**
 * Name, message and causes. A stack only for unexpected errors, and no other properties, because drivers attach
 * statements and options to errors.
 */
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

function prettyLine(line: string, labels: Labels): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as { level: number; time: number; msg: string };
  const label = labels[level]?.toUpperCase().padEnd(5) ?? String(level);
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
  return `${new Date(time).toISOString()} ${label} ${msg}${rest.join("")}\n`;
}
