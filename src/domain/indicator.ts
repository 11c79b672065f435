import { parseEmail } from "./email.ts";
import { AppError } from "./error.ts";

/** The subject of a look-up: an email address. `value` is canonical. */
export type Indicator = { readonly type: IndicatorType; readonly value: string };

export type IndicatorType = keyof typeof indicatorTypes;

/** Per type: the parser of its values, and the error for a value that is not valid. */
const indicatorTypes = {
  email: { parse: parseEmail, code: "invalid_email", message: "Indicator value is not a valid email address" },
} as const;

/**
 * Checks a type and a value from outside, the type first (docs/contract.md 3.3, 3.4). Throws `AppError` with the code
 * `unsupported_indicator` or the code of the type.
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
