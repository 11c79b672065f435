import pino from "pino";

export type Log = pino.Logger;
export type LogOutput = { readonly log: Log; readonly reconfigure: (settings: LogSettings) => void };
export type LogSettings = { readonly level: string; readonly format: "json" | "pretty" };

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
export function openLog(settings: LogSettings): LogOutput {
  const paths = secretFields.flatMap((field) => ["", "*", "*.*"].map((parent) => `${parent}["${field}"]`));
  let isPretty = settings.format === "pretty";
  const plain = pino.destination({ fd: 2, sync: true });
  const destination = { write: (line: string) => (isPretty ? writePretty(line) : plain.write(line)) };
  const log = pino(
    {
      level: settings.level,
      base: null,
      redact: { paths, censor: "(hidden)" },
      serializers: { err: describeError },
    },
    destination,
  );
  return {
    log,
    reconfigure({ level, format }) {
      log.level = level;
      isPretty = format === "pretty";
    },
  };
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

function writePretty(line: string): void {
  const { level, time, msg, ...fields } = JSON.parse(line) as { level: number; time: number; msg: string };
  const label = pino.levels.labels[level]?.toUpperCase().padEnd(5) ?? String(level);
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
  process.stderr.write(`${new Date(time).toISOString()} ${label} ${msg}${rest.join("")}\n`);
}
