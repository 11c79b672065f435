import { useEffect, useState } from "preact/hooks";
import { Icon } from "./icon.tsx";

type CopyButtonProps = { readonly text: string; readonly label: string; readonly isPrimary?: boolean };

/** Copies a text and shows whether that worked. */
export function CopyButton({ text, label, isPrimary = false }: CopyButtonProps) {
  const [state, setState] = useState<"idle" | "copied" | "failed">("idle");
  useEffect(() => {
    if (state === "idle") return;
    const timer = setTimeout(() => setState("idle"), 2500);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = async (event: Event) => {
    setState((await copyText(text, event.currentTarget as HTMLElement)) ? "copied" : "failed");
  };
  return (
    <button type="button" class={isPrimary ? "button primary" : "button"} onClick={copy}>
      <Icon name={state === "copied" ? "check" : "copy"} />
      <span aria-live="polite">
        {state === "copied" ? "Copied" : state === "failed" ? "Copying failed: select the text" : label}
      </span>
    </button>
  );
}

/**
 * Browsers allow the clipboard API only over TLS and on loopback. Elsewhere copying a selection still works; the
 * selected element must be inside the open dialog, if there is one.
 */
async function copyText(text: string, near: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "off-screen";
    (near.closest("dialog") ?? document.body).append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    near.focus();
    return isCopied;
  }
}
