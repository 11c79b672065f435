import { useEffect, useState } from "preact/hooks";

export type Theme = "light" | "dark";

const storageKey = "xpose-theme";
const darkQuery = matchMedia("(prefers-color-scheme: dark)");

/** The theme chosen on this device, else the theme of the system. */
export function useTheme(): { theme: Theme; toggle: () => void } {
  const [chosen, setChosen] = useState(readChoice);
  const [system, setSystem] = useState<Theme>(darkQuery.matches ? "dark" : "light");
  const theme = chosen ?? system;
  useEffect(() => {
    const follow = () => setSystem(darkQuery.matches ? "dark" : "light");
    darkQuery.addEventListener("change", follow);
    return () => darkQuery.removeEventListener("change", follow);
  }, []);
  applyTheme(theme);
  return {
    theme,
    toggle() {
      const next = theme === "dark" ? "light" : "dark";
      setChosen(next);
      try {
        localStorage.setItem(storageKey, next);
      } catch {
        // Storage is disabled: the choice is lost when the page closes.
      }
    },
  };
}

/** Called before the first drawing, so that the first frame has the right colours. */
function applyTheme(theme: Theme): void {
  document.documentElement.dataset["theme"] = theme;
}

function readChoice(): Theme | null {
  try {
    const stored = localStorage.getItem(storageKey);
    return stored === "light" || stored === "dark" ? stored : null;
  } catch {
    return null;
  }
}
