import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./icon.tsx";

type EmptyStateProps = { readonly icon: IconName; readonly title: string; readonly children: ComponentChildren };

/** Nothing to show: why, and what to do next. */
export function EmptyState({ icon, title, children }: EmptyStateProps) {
  return (
    <div class="empty">
      <Icon name={icon} />
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}
