import { parseEmail } from "./email.ts";
import { AppError } from "./error.ts";

/** What is asked about. `value` is canonical. */
export type Indicator = { readonly type: IndicatorType; readonly value: string };

export type IndicatorType = keyof typeof indicatorTypes;

/** One line per type: how its value is parsed, and what the caller is told when it cannot be. */
const indicatorTypes = {
  email: { parse: parseEmail, code: "invalid_email", message: "Indicator value is not a valid email address" },
} as const;

/**
 * Checks a type and a value that came from outside, the type first (docs/contract.md 3.3, 3.4).
 * Throws `AppError` `unsupported_indicator` or the code of the type's own rule.
 */
export function parseIndicator(type: unknown, value: unknown): Indicator {
  if (typeof type !== "string" || !Object.hasOwn(indicatorTypes, type)) {
    throw new AppError("unsupported_indicator", "Indicator type is not supported, use email");
  }
  const rule = indicatorTypes[type as IndicatorType];
  const canonical = typeof value === "string" ? rule.parse(value) : null;
  if (canonical === null) throw new AppError(rule.code, rule.message);
  return { type: type as IndicatorType, value: canonical };
}
