type ReliabilityProps = { readonly confidence: number };

/** The reliability of a source: a tier and its number (docs/contract.md 7.4). */
export function Reliability({ confidence }: ReliabilityProps) {
  const tier = tierOf(confidence);
  return (
    <span class="reliability" title="Reliability of the source. It says nothing about the address or the finding.">
      <span class={`tier ${tier}`}>
        <i />
        <i />
        <i />
      </span>
      {tier} <span class="quiet">{confidence.toFixed(2)}</span>
    </span>
  );
}

function tierOf(confidence: number): "high" | "medium" | "low" {
  if (confidence >= 0.8) return "high";
  return confidence >= 0.6 ? "medium" : "low";
}
