type MeterProps = {
  /** 0 to 1; beyond counts as 1. */
  readonly share: number;
  readonly label: string;
};

/** How much of something is used. From 80 % on it changes colour, from 95 % on again. */
export function Meter({ share, label }: MeterProps) {
  const bounded = Math.min(1, Math.max(0, share));
  const level = bounded >= 0.95 ? "full" : bounded >= 0.8 ? "near" : "";
  return (
    <div class={`meter ${level}`} role="img" aria-label={label}>
      <div style={{ width: `${Math.max(bounded * 100, bounded > 0 ? 2 : 0)}%` }} />
    </div>
  );
}
