/** How a request is answered whose scan has no result (docs/pipeline.md 16.4). */
export const onPendings = ["200", "202", "503"] as const;
export type OnPending = (typeof onPendings)[number];

export function isOnPending(text: string): text is OnPending {
  return onPendings.some((one) => one === text);
}
