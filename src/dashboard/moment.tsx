import { formatAge, formatTime } from "./format.ts";

type MomentProps = {
  readonly iso: string | null;
  /** `age` shows how long ago; `time` shows the time in UTC. The tooltip has the other form. */
  readonly as: "age" | "time";
  readonly absent?: string;
};

/** A point in time. */
export function Moment({ iso, as, absent = "–" }: MomentProps) {
  if (iso === null) return <span class="quiet">{absent}</span>;
  const time = `${formatTime(iso)} UTC`;
  return (
    <time dateTime={iso} title={as === "age" ? time : formatAge(iso)} class="nowrap">
      {as === "age" ? formatAge(iso) : formatTime(iso)}
    </time>
  );
}
