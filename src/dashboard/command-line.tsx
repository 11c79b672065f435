import { CopyButton } from "./copy-button.tsx";

/** A command line with a copy button. */
export function CommandLine({ text, label = "Copy" }: { text: string; label?: string }) {
  return (
    <div class={text.includes("\n") ? "command-line tall" : "command-line"}>
      <code>{text}</code>
      <CopyButton text={text} label={label} />
    </div>
  );
}
