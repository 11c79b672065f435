import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./icon.tsx";

type EmptyStateProps = { readonly icon: IconName; readonly title: string; readonly children: ComponentChildren };

/** Shown instead of an empty list: the reason, and what to do next. */
export function EmptyState({ icon, title, children }: EmptyStateProps) {
  return (
    <div class="empty">
      <Icon name={icon} />
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}
