import fc from "fast-check";
import { expect, test } from "vitest";
import { ResponseReader } from "../../scripts/bench/response-reader.ts";

const answers = [
  { status: 200, text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Other: 1\r\n\r\nhello" },
  { status: 404, text: "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n" },
  { status: 503, text: "HTTP/1.1 503 Busy\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n\r\n\r\n" },
];

test("an answer ends with its last byte, in whatever pieces it comes", () => {
  fc.assert(
    fc.property(fc.constantFrom(...answers), fc.array(fc.nat(90)), ({ status, text }, cuts) => {
      const reader = new ResponseReader();
      const bytes = Buffer.from(text);
      const ends = [...new Set([...cuts.filter((cut) => cut > 0 && cut < bytes.length), bytes.length])];
      ends.sort((a, b) => a - b);
      const seen = ends.map((end, index) => reader.push(bytes.subarray(ends[index - 1] ?? 0, end)));
      expect(seen).toEqual([...ends.slice(1).map(() => 0), status]);
    }),
  );
});

test("what has no length, or more bytes than that, is an error", () => {
  expect(() => new ResponseReader().push(Buffer.from("HTTP/1.1 200 OK\r\n\r\n"))).toThrow("without a length");
  const long = Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab");
  expect(() => new ResponseReader().push(long)).toThrow("more bytes");
});
