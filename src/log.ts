/** As in the lines, where a greater number is more urgent. */
const levelNumbers = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 } as const;

export type LogLevel = keyof typeof levelNumbers;
export type LogSettings = { readonly level: LogLevel; readonly format: "json" | "pretty" };

/** Writes one line: an event in fixed words, with its data as fields. */
type Write = { (fields: object, message: string): void; (message: string): void };

export type Log = Readonly<Record<LogLevel, Write>> & { readonly isLevelEnabled: (level: LogLevel) => boolean };
export type LogOutput = { readonly log: Log; readonly reconfigure: (settings: LogSettings) => void };

/** Fields that must never be written, at whatever depth of an object that is logged. */
const secretFields = new Set([
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
]);

/**
 * The root logger: one JSON object per line, or lines for people. Ids are logged, never a key, an address or a finding.
 * It is no library: evaluating one took an eighth of the time that the service needs to start.
 */
export function openLog(first: LogSettings, write: (line: string) => void): LogOutput {
  let settings = first;
  const isLevelEnabled = (level: LogLevel) => levelNumbers[level] >= levelNumbers[settings.level];
  const at =
    (level: LogLevel): Write =>
    (given: object | string, message?: string) => {
      if (!isLevelEnabled(level)) return;
      const [fields, msg] = typeof given === "string" ? [{}, given] : [describedFields(given), message];
      write(settings.format === "pretty" ? prettyLine(level, fields, msg ?? "") : jsonLine(level, fields, msg ?? ""));
    };
  return {
    log: {
      trace: at("trace"),
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      fatal: at("fatal"),
      isLevelEnabled,
    },
    reconfigure(next) {
      settings = next;
    },
  };
}

type Fields = Readonly<Record<string, unknown>>;

/** The error under `err` becomes its description. */
function describedFields(given: object): Fields {
  const { err, ...fields } = given as Fields;
  return err === undefined ? fields : { ...fields, err: describeError(err) };
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

function jsonLine(level: LogLevel, fields: Fields, msg: string): string {
  return `${JSON.stringify({ level: levelNumbers[level], time: Date.now(), ...fields, msg }, withoutSecret)}\n`;
}

function prettyLine(level: LogLevel, fields: Fields, message: string): string {
  const rest = Object.entries(fields).flatMap(([name, value]) => {
    const text = JSON.stringify(withoutSecret(name, value), withoutSecret);
    return text === undefined ? [] : [` ${name}=${text}`];
  });
  return `${new Date().toISOString()} ${level.toUpperCase().padEnd(5)} ${message}${rest.join("")}\n`;
}

/** Replaces what stands under the name of a secret; JSON asks it for every member, however deep. */
function withoutSecret(name: string, value: unknown): unknown {
  return secretFields.has(name) ? "(hidden)" : value;
}
