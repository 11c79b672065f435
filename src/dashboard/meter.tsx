type MeterProps = {
  /** 0 to 1; larger values count as 1. */
  readonly share: number;
  readonly label: string;
};

/** A bar for a used share. Changes its colour at 80 % and at 95 %. */
export function Meter({ share, label }: MeterProps) {
  const bounded = Math.min(1, Math.max(0, share));
  const level = bounded >= 0.95 ? "full" : bounded >= 0.8 ? "near" : "";
  return (
    <div class={`meter ${level}`} role="img" aria-label={label}>
      <div style={{ width: `${Math.max(bounded * 100, bounded > 0 ? 2 : 0)}%` }} />
    </div>
  );
}
