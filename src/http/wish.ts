import { AppError } from "../domain/error.ts";
import { isOnPending, type OnPending } from "../domain/on-pending.ts";
import { hasQuery, queryOf } from "./query.ts";

/** The shapes of an answer with a result (docs/pipeline.md 30). */
export const views = ["envelope", "flat", "case"] as const;
export type View = (typeof views)[number];

/** What a client asks of the form of its answer (docs/pipeline.md 16.4, 30). */
export type Wish = {
  readonly view: View;
  /** Undefined: as published, 202 for a POST and 200 for a GET. */
  readonly onPending: OnPending | undefined;
};

/** The wish of a client of the published API. */
export const asPublished: Wish = { view: "envelope", onPending: undefined };

/** A wish that cannot be read has a fault; it is answered after the checks that come first (docs/contract.md 2). */
export type ReadWish = { readonly wish: Wish; readonly fault: AppError | null };

const noWish: ReadWish = { wish: asPublished, fault: null };

/**
 * Reads `on_pending`, and `view` where the path has views. Other parameters are ignored. A request without a query, as
 * published, costs nothing.
 */
export function readWish(request: Request, { hasViews }: { readonly hasViews: boolean }): ReadWish {
  if (!hasQuery(request)) return noWish;
  const query = queryOf(request);
  const [view = "envelope", ...otherViews] = hasViews ? query.getAll("view") : [];
  const [onPending, ...otherPendings] = query.getAll("on_pending");
  if (!isView(view) || otherViews.length > 0) return faulty(`The view must be one of ${views.join(", ")}`);
  if ((onPending !== undefined && !isOnPending(onPending)) || otherPendings.length > 0) {
    return faulty("The on_pending must be one of 200, 202, 503");
  }
  return { wish: { view, onPending }, fault: null };
}

function isView(text: string): text is View {
  return views.some((view) => view === text);
}

function faulty(message: string): ReadWish {
  return { wish: asPublished, fault: new AppError("invalid_request", message) };
}
