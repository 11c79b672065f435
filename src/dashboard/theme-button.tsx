import { Icon } from "./icon.tsx";
import type { Theme } from "./theme.ts";

export function ThemeButton({ theme, toggle }: { theme: Theme; toggle: () => void }) {
  const label = theme === "dark" ? "Light theme" : "Dark theme";
  return (
    <button type="button" class="button plain icon-only" onClick={toggle} aria-label={label} title={label}>
      <Icon name={theme === "dark" ? "sun" : "moon"} />
    </button>
  );
}
