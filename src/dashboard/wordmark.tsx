export function Wordmark() {
  return (
    <span class="wordmark">
      <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
        <rect width="32" height="32" rx="7" class="mark-ground" />
        <path d="M8 8l7 8-7 8M24 8l-7 8 7 8" class="mark-lines" />
      </svg>
      xpose
    </span>
  );
}
