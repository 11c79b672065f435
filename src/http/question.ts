import { type EnrichOptions, noOptions, parseOptions, parseQueryOptions } from "../domain/enrich-options.ts";
import { AppError } from "../domain/error.ts";
import { type Indicator, parseIndicator } from "../domain/indicator.ts";
import { isObject } from "../domain/json-object.ts";
import type { EnrichRequest } from "../wire/scan.ts";
import type { Unchecked } from "../wire/shape.ts";
import { readJson } from "./body.ts";
import { queryKeepingPlus } from "./query.ts";

/** What a look-up asks. A question that cannot be read has a fault and no indicator. */
export type Question = {
  readonly indicator: Indicator | null;
  readonly options: EnrichOptions;
  /** Not thrown: key, plan and budget are checked first (docs/contract.md 2). */
  readonly fault: AppError | null;
};

/** docs/contract.md 3.2. */
const maxBodyBytes = 16_384;

const nothing = {};

/** Reads the body of a look-up. */
export function readQuestion(request: Request): Promise<Question> {
  return readBody(request, parseOptions);
}

/** Reads a body that holds an indicator only. */
export function readIndicator(request: Request): Promise<Question> {
  return readBody(request, () => noOptions);
}

async function readBody(request: Request, optionsOf: (options: unknown) => EnrichOptions): Promise<Question> {
  try {
    const body = await readJson(request, maxBodyBytes, { isFramed: true });
    // Checked by hand: a schema would take 2 us of the 30 us of a hit.
    const { indicator, options }: Unchecked<EnrichRequest> = isObject(body) ? body : nothing;
    if (!isObject(indicator)) {
      throw new AppError("invalid_request", "The body needs an indicator object with type and value");
    }
    const wanted = optionsOf(options);
    const { type, value }: Unchecked<EnrichRequest["indicator"]> = indicator;
    return { indicator: parseIndicator(type, value), options: wanted, fault: null };
  } catch (error) {
    return faulty(error);
  }
}

/** Reads a look-up by GET (docs/pipeline.md 16.5). */
export function readQueryQuestion(request: Request): Question {
  try {
    // A blank is never a part of an address, so a `+` that the client did not encode is one.
    const query = queryKeepingPlus(request);
    const [email, ...others] = query.getAll("email");
    if (others.length > 0) throw new AppError("invalid_request", "The parameter email must not be given twice");
    return { options: parseQueryOptions(query), indicator: parseIndicator("email", email), fault: null };
  } catch (error) {
    return faulty(error);
  }
}

function faulty(error: unknown): Question {
  if (error instanceof AppError) return { indicator: null, options: noOptions, fault: error };
  throw error;
}
