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
export type LogOutput = {
  readonly log: Log;
  readonly isPretty: () => boolean;
  readonly reconfigure: (settings: LogSettings) => void;
};

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
 * The root logger: one JSON object per line, or lines for people; `write` takes whole lines. Ids are logged, never a key,
 * an address or a finding.
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
      // With the first line: loading the library takes a quarter of all that the service does before its first answer.
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
      // What is below the wanted level never comes here.
      level: "trace",
      base: null,
      redact: { paths, censor: "(hidden)" },
      serializers: { err: describeError },
    },
    { write: (line: string) => write(line, pino.levels.labels) },
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

function prettyLine(line: string, labels: Labels): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as { level: number; time: number; msg: string };
  const label = labels[level]?.toUpperCase().padEnd(5) ?? String(level);
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
  return `${new Date(time).toISOString()} ${label} ${msg}${rest.join("")}\n`;
}
