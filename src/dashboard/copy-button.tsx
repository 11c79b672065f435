import { useEffect, useState } from "preact/hooks";
import { Icon } from "./icon.tsx";

type CopyButtonProps = { readonly text: string; readonly label: string; readonly isPrimary?: boolean };

/** Copies a text and says whether that worked. */
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
        {state === "copied" ? "Copied" : state === "failed" ? "Copying was refused: select the text" : label}
      </span>
    </button>
  );
}

/**
 * The clipboard of a browser is open to pages over TLS and on loopback only. Elsewhere the older way by a selection
 * still works; it must stand inside the dialog that is open, if one is.
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
