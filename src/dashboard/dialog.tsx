import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

type DialogProps = {
  readonly title: string;
  readonly children: ComponentChildren;
  /** Null when the Escape key must not close the dialog. */
  readonly onDismiss: (() => void) | null;
};

/** A modal dialog. The browser keeps the focus inside and restores it afterwards. */
export function Dialog({ title, children, onDismiss }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  const isDismissible = onDismiss !== null;
  useEffect(() => {
    // Browsers let a page cancel only the first Escape; this cancels all.
    element.current?.setAttribute("closedby", isDismissible ? "closerequest" : "none");
  }, [isDismissible]);
  return (
    <dialog
      ref={element}
      aria-labelledby="dialog-title"
      onCancel={(event) => {
        event.preventDefault();
        onDismiss?.();
      }}
    >
      <h2 id="dialog-title">{title}</h2>
      {children}
    </dialog>
  );
}
