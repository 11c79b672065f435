import type { SourceErrorReason } from "../../src/domain/error.ts";
import type { FakeInternetOptions } from "./fake-internet.ts";

/** The behaviour of a fake internet. */
export type Weather = Pick<FakeInternetOptions, "answer" | "tunnel">;

const html = { "content-type": "text/html" };
const json = { "content-type": "application/json" };
const page = "<!doctype html><title>Blocked</title><p>Sign in with your password. Welcome Back, already registered.";
const answering = (status: number, body: string, headers: object): Weather["answer"] => {
  return () => ({ status, headers, body });
};
const login = { ...html, location: "https://portal.example/login?email=1" };

/** Ways in which every site is unreachable, by name, and the reason that a source of many sites must report. */
export const badWeathers: readonly (readonly [string, SourceErrorReason, Weather])[] = [
  ["a proxy that refuses every tunnel", "unreachable", { answer: answering(403, page, html), tunnel: () => 403 }],
  ["a proxy that wants a login", "unreachable", { answer: answering(407, page, html), tunnel: () => 407 }],
  ["a proxy that hangs up", "unreachable", { answer: () => "drop", tunnel: () => "drop" }],
  ["sites that hang up", "unreachable", { answer: () => "drop" }],
  ["a proxy that does not answer", "timeout", { answer: () => "hang", tunnel: () => "hang" }],
  ["sites that do not answer", "timeout", { answer: () => "hang" }],
  ["a page in plain HTTP instead of TLS", "tls", { answer: answering(200, page, html), tunnel: () => "plain" }],
  ["a captive portal", "redirect", { answer: answering(302, page, login) }],
  ["a filter that says 403", "http_4xx", { answer: answering(403, page, html) }],
  ["a filter that says 404", "http_4xx", { answer: answering(404, page, html) }],
  ["a filter that says 451", "http_4xx", { answer: answering(451, page, html) }],
  ["sites that ask to slow down", "rate_limited", { answer: answering(429, page, html) }],
  ["a proxy that says 503", "http_5xx", { answer: answering(503, page, html) }],
  ["empty answers with 204", "bad_answer", { answer: () => ({ status: 204 }) }],
  ["a block page with 200", "bad_answer", { answer: answering(200, page, html) }],
  ["nothing with 200", "bad_answer", { answer: answering(200, "", html) }],
  ["an empty object with 200", "bad_answer", { answer: answering(200, "{}", json) }],
  ["an error in JSON with 200", "bad_answer", { answer: answering(200, '{"error":"blocked","status":"ok"}', json) }],
];
