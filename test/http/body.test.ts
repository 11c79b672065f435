import { describe, expect, test } from "vitest";
import { AppError } from "../../src/domain/error.ts";
import { discardBody, readJson } from "../../src/http/body.ts";

const json = { "Content-Type": "application/json" };

function post(
  body: string | Uint8Array<ArrayBuffer> | ReadableStream,
  headers: Record<string, string> = json,
): Request {
  return new Request("http://127.0.0.1/", { method: "POST", headers, body });
}

/** A body of `chunks` pieces of 1 KiB that records the number of read pieces and whether it was cancelled. */
function pieces(count: number) {
  const state = { taken: 0, isCancelled: false };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (state.taken === count) return controller.close();
        state.taken += 1;
        controller.enqueue(new Uint8Array(1024).fill(0x20));
      },
      cancel() {
        state.isCancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, state };
}

async function codeOf(reading: Promise<unknown>): Promise<string> {
  const error = await reading.then(
    () => null,
    (reason: unknown) => reason,
  );
  return error instanceof AppError ? error.code : String(error);
}

test("a JSON body is read whole, up to the last byte of the limit", async () => {
  const text = JSON.stringify({ text: "ü".repeat(100) });
  const { length } = new TextEncoder().encode(text);
  expect(await readJson(post(text), length)).toEqual({ text: "ü".repeat(100) });
  expect(await codeOf(readJson(post(text), length - 1))).toBe("payload_too_large");
});

describe("3.2 the body is larger than the limit", () => {
  test("a declared length is refused before a byte is read, and the body is cancelled", async () => {
    const { stream, state } = pieces(100);
    const request = post(stream, { ...json, "Content-Length": "102400" });
    expect(await codeOf(readJson(request, 16_384))).toBe("payload_too_large");
    expect(state).toEqual({ taken: 0, isCancelled: true });
  });

  test("a streamed body is cancelled as soon as it is too long", async () => {
    const { stream, state } = pieces(1_000_000);
    expect(await codeOf(readJson(post(stream), 16_384))).toBe("payload_too_large");
    expect(state.taken).toBe(17);
    expect(state.isCancelled).toBe(true);
  });

  test("a declared length that is too small does not help", async () => {
    const { stream, state } = pieces(1_000_000);
    expect(await codeOf(readJson(post(stream, { ...json, "Content-Length": "10" }), 16_384))).toBe("payload_too_large");
    expect(state.isCancelled).toBe(true);
  });

  test("413 takes precedence over 415 and 400", async () => {
    expect(await codeOf(readJson(post("x".repeat(20), { "Content-Type": "text/plain" }), 10))).toBe(
      "payload_too_large",
    );
  });
});

describe("3.2 the type of the body", () => {
  test.each([
    { type: "application/json", encoding: null, code: null },
    { type: "Application/JSON", encoding: null, code: null },
    { type: "application/json; charset=utf-8", encoding: null, code: null },
    { type: " application/json ;x=y", encoding: null, code: null },
    { type: "application/json", encoding: "identity", code: null },
    { type: "application/json", encoding: "Identity", code: null },
    { type: "application/json", encoding: "gzip", code: "unsupported_media_type" },
    { type: "application/json", encoding: "identity, gzip", code: "unsupported_media_type" },
    { type: "text/plain", encoding: null, code: "unsupported_media_type" },
    { type: "application/json5", encoding: null, code: "unsupported_media_type" },
    { type: "application/problem+json", encoding: null, code: "unsupported_media_type" },
    { type: "application/x-www-form-urlencoded", encoding: null, code: "unsupported_media_type" },
    { type: "", encoding: null, code: "unsupported_media_type" },
    { type: "text/plain, application/json", encoding: null, code: "unsupported_media_type" },
  ])("'$type', encoding $encoding: $code", async ({ type, encoding, code }) => {
    const headers = { "Content-Type": type, ...(encoding === null ? {} : { "Content-Encoding": encoding }) };
    const reading = readJson(post("{}", headers), 100);
    if (code === null) expect(await reading).toEqual({});
    else expect(await codeOf(reading)).toBe(code);
  });

  test("a body without a type is refused, and 415 takes precedence over 400", async () => {
    const request = post("{");
    request.headers.delete("Content-Type");
    expect(await codeOf(readJson(request, 100))).toBe("unsupported_media_type");
  });
});

describe("3.2 a body that is not JSON", () => {
  test.each([
    { body: "", what: "an empty body" },
    { body: "{", what: "a cut object" },
    { body: "{} {}", what: "two values" },
    { body: "{'a':1}", what: "single quotes" },
    { body: '{"a":1,}', what: "a trailing comma" },
    { body: "NaN", what: "no value of JSON" },
    { body: new Uint8Array([0x22, 0xff, 0x22]), what: "a byte that is no UTF-8" },
    { body: new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]), what: "an unpaired surrogate in UTF-8" },
    { body: new Uint8Array([0xff, 0xfe, 0x7b, 0, 0x7d, 0]), what: "UTF-16" },
  ])("$what is malformed_json", async ({ body }) => {
    expect(await codeOf(readJson(post(body), 100))).toBe("malformed_json");
  });

  test("0.4 of duplicate keys the last one wins", async () => {
    expect(await readJson(post('{"a":1,"a":2}'), 100)).toEqual({ a: 2 });
  });

  test("a request without a body is malformed_json", async () => {
    const request = new Request("http://127.0.0.1/", { method: "POST", headers: json });
    expect(await codeOf(readJson(request, 100))).toBe("malformed_json");
  });

  test("a client that disconnects during the body is a client error", async () => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode("{"));
      },
      pull(controller) {
        controller.error(new DOMException("The connection was closed.", "AbortError"));
      },
    });
    expect(await codeOf(readJson(post(body), 100))).toBe("malformed_json");
  });
});

test("discarding cancels a body, and accepts a request without a body", async () => {
  const { stream, state } = pieces(10);
  await discardBody(post(stream));
  expect(state).toEqual({ taken: 0, isCancelled: true });
  await discardBody(new Request("http://127.0.0.1/"));
});
