import type { Fault } from "./api.ts";
import { Icon } from "./icon.tsx";

/** An error of the API: its message, its stable code, and the correlation id for the log. */
export function FaultNotice({ fault, retry }: { fault: Fault; retry?: () => void }) {
  const facts = [fault.code, fault.correlationId === null ? null : `correlation id ${fault.correlationId}`];
  return (
    <div class="notice bad" role="alert">
      <Icon name="alert" />
      <div>
        <p>{fault.message}</p>
        <p class="quiet small mono">{facts.filter((fact) => fact !== null).join(" · ")}</p>
      </div>
      {retry === undefined ? null : (
        <button type="button" class="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}
