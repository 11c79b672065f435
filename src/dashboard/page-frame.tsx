import type { ComponentChildren } from "preact";
import { useErrorBoundary } from "preact/hooks";
import { Icon } from "./icon.tsx";

/** An error boundary around one page: a rendering error is shown in its place, and the rest keeps working. */
export function PageFrame({ children }: { children: ComponentChildren }) {
  const [error, reset] = useErrorBoundary((fault: unknown) => console.error(fault));
  if (error === undefined) return <>{children}</>;
  return (
    <div class="notice bad" role="alert">
      <Icon name="alert" />
      <p>
        This page could not be drawn: an error of xpose, or an answer of another version. The console has the details.
      </p>
      <button type="button" class="button" onClick={reset}>
        Try again
      </button>
    </div>
  );
}
