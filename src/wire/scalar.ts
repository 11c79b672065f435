import * as z from "zod/mini";

export const text = z.string();

/** `YYYY-MM-DDTHH:MM:SS+00:00` (docs/contract.md 0.3). */
export const time = z
  .string()
  .check(z.regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+00:00$/), z.meta({ format: "date-time" }));

/** A lower-case UUID (docs/contract.md 0.3). */
export const id = z
  .string()
  .check(z.regex(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/), z.meta({ format: "uuid" }));

/** 64 hex digits. */
export const sha256 = z.string().check(z.regex(/^[0-9a-f]{64}$/));

export const count = z.int().check(z.minimum(0));

export const milliseconds = count;

/** Reliability of a source, 0 to 1. */
export const confidence = z.number().check(z.minimum(0), z.maximum(1));

/** Counts by name. Counts of 0 are left out. */
export const counts = z.record(z.string(), count);
