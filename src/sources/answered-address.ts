import { parseEmail } from "../domain/email.ts";
import { SourceError } from "../domain/error.ts";

/** Where services that repeat what they were asked put it. */
const members = ["email", "e-mail", "mail", "email_address", "address", "indicator", "indicator_value", "query"];

/**
 * Throws `bad_answer` when an object of an answer is about another address than the asked one: a cache on the way has
 * mixed two answers up, and each finding of it would be a lie (docs/pipeline.md 21.12). What is no address says nothing.
 */
export function checkAddress(answer: unknown, asked: string): void {
  if (typeof answer !== "object" || answer === null) return;
  for (const [name, value] of Object.entries(answer)) {
    if (!members.includes(name.toLowerCase())) continue;
    const text = typeof value === "object" && value !== null && "value" in value ? value.value : value;
    const address = typeof text === "string" ? parseEmail(text) : null;
    if (address !== null && address !== asked) throw new SourceError("bad_answer", "it is about another address");
  }
}
