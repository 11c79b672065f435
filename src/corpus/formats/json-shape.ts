import { addressTextsIn } from "./addresses-in.ts";
import type { JsonLayout } from "./json-reader.ts";
import { JsonStream } from "./json-stream.ts";
import { parseJson } from "./json-value.ts";
import type { Sample } from "./sample.ts";

/** The structure of JSON, from the beginning of a text. */
export type JsonShape = {
  readonly layout: JsonLayout;
  readonly hasAddress: boolean;
  /** The complete values of the sample; of a larger value its members and elements. */
  readonly values: readonly unknown[];
};

/** Share of lines that must be JSON, the first line included, and share of the values of a document. */
const minLines = 0.5;
const minValues = 0.8;
const maxLines = 100;

const known = new WeakMap<Sample, JsonShape | null>();

/** The JSON structure of a text; null when it is not JSON. Cached, because several formats ask for each text. */
export function jsonShapeOf(sample: Sample): JsonShape | null {
  const found = known.get(sample);
  if (found !== undefined) return found;
  const shape = startsAsJson.test(sample.text) ? (linesShape(sample) ?? streamShape(sample)) : null;
  known.set(sample, shape);
  return shape;
}

/** The layout of a text that the operator calls JSON, even if it does not look like it. */
export function jsonLayoutOf(sample: Sample): JsonLayout {
  const layout = jsonShapeOf(sample)?.layout;
  if (layout !== undefined) return layout;
  const isValue = (line: string) => typeof parseJson(line.trim()) === "object";
  const isLines = sample.lines.length > 1 && sample.lines.slice(0, maxLines).some(isValue);
  return isLines || !startsAsJson.test(sample.text) ? "lines" : "document";
}

const startsAsJson = /^[\s,]*[{[]/;

/** More than one line, with a value on each line. */
function linesShape({ lines, text, isWhole }: Sample): JsonShape | null {
  const judged = lines.slice(0, maxLines);
  const values = judged.map((line) => parseJson(line.trim()));
  const containers = values.filter((value) => typeof value === "object" && value !== null);
  // If the sample is truncated, a complete first line implies that more lines follow.
  if (
    judged.length < (isWhole ? 2 : 1) ||
    containers.length < judged.length * minLines ||
    typeof values[0] !== "object"
  )
    return null;
  return { layout: "lines", hasAddress: holdsAddress(text), values: containers };
}

/** One value, or several values that span lines. */
function streamShape({ head, text }: Sample): JsonShape | null {
  const values: unknown[] = [];
  let rootCount = 0;
  let depth = 0;
  let faultCount = 0;
  const keep = (value: unknown) => {
    values.push(value);
  };
  const stream = new JsonStream({
    root(value) {
      rootCount++;
      keep(value);
    },
    enter() {
      if (depth++ === 0) rootCount++;
    },
    member: (name, value) => keep({ [name]: value }),
    element: keep,
    leave() {
      depth--;
    },
    fault: () => {
      faultCount++;
    },
  });
  stream.push(head);
  stream.end();
  // A truncated sample causes up to two faults: in a value and in its container.
  const faults = Math.max(0, faultCount - 2);
  if (values.length === 0 || faults > (1 - minValues) * (values.length + faults)) return null;
  return { layout: rootCount > 1 ? "values" : "document", hasAddress: holdsAddress(text), values };
}

function holdsAddress(text: string): boolean {
  // Some programs escape the at-sign.
  const plain = text.replaceAll("\\u0040", "@");
  return plain.includes("@") && addressTextsIn(plain).length > 0;
}
