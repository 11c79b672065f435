import { parseEmail } from "../domain/email.ts";
import { SourceError } from "../domain/error.ts";

/** Members in which services repeat the query. */
const members = ["email", "e-mail", "mail", "email_address", "address", "indicator", "indicator_value", "query"];

/**
 * Throws `bad_answer` when an object of an answer names another address than the asked one: a cache on the way has
 * mixed up two answers, and its findings would be false (docs/pipeline.md 21.12). Ignores text that is not an address.
 */
export function checkAddress(answer: unknown, asked: string): void {
  if (typeof answer !== "object" || answer === null) return;
  for (const [name, value] of Object.entries(answer)) {
    if (!members.includes(name.toLowerCase())) continue;
    const text = typeof value === "object" && value !== null && "value" in value ? value.value : value;
    const address = typeof text === "string" ? parseEmail(text) : null;
    if (address !== null && address !== asked)
      throw new SourceError("bad_answer", "the answer is about another address");
  }
}
