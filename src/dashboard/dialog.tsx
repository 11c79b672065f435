import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

type DialogProps = {
  readonly title: string;
  readonly children: ComponentChildren;
  /** Null while the dialog must not be closed by the Escape key. */
  readonly onDismiss: (() => void) | null;
};

/** A modal dialog: the browser keeps the focus in it, and gives it back to where it was. */
export function Dialog({ title, children, onDismiss }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  const isDismissible = onDismiss !== null;
  useEffect(() => {
    // The browser lets a page refuse the first Escape only; this makes it refuse all of them.
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
