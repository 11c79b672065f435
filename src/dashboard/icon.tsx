/** Strokes on a 20 by 20 grid, drawn in the colour of the text. */
const shapes = {
  overview: "M3 10.5h3.5l2-5.5 3 10 2.2-4.5H17",
  "look-up": "M9 3.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11zM13 13l4 4",
  sources: "M10 3.5v4M10 12.5v4M3.5 10h4M12.5 10h4M10 7.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5z",
  corpora:
    "M4 5.5c0-1.1 2.7-2 6-2s6 .9 6 2-2.7 2-6 2-6-.9-6-2zM4 5.5v9c0 1.1 2.7 2 6 2s6-.9 6-2v-9M4 10c0 1.1 2.7 2 6 2s6-.9 6-2",
  audit: "M5 3.5h10v13H5zM7.5 7h5M7.5 10h5M7.5 13h3",
  organization: "M3.5 16.5v-10l6.5-3 6.5 3v10M8 16.5v-4h4v4M7 8.5h1M12 8.5h1",
  sun: "M10 7a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM10 2.5v1.5M10 16v1.5M2.5 10H4M16 10h1.5M4.7 4.7l1 1M14.3 14.3l1 1M4.7 15.3l1-1M14.3 5.7l1-1",
  moon: "M16 12.2A6.5 6.5 0 0 1 7.8 4a6.5 6.5 0 1 0 8.2 8.2z",
  leave: "M8 3.5H4.5v13H8M12 6.5l3.5 3.5-3.5 3.5M15 10H8",
  copy: "M7 7h9v9H7zM4 13V4h9",
  check: "M4 10.5l4 4 8-9",
  alert: "M10 3.5l7.5 13h-15zM10 8v4M10 14.2v.3",
  info: "M10 3a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM10 9v5M10 6.2v.3",
  chevron: "M7.5 5l5 5-5 5",
  external: "M8 4.5H4.5v11h11V12M11 4h5v5M16 4l-7 7",
  plus: "M10 4v12M4 10h12",
} as const;

export type IconName = keyof typeof shapes;

/** A decorative icon beside text. Hidden from screen readers, because the text says the same. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
      <path d={shapes[name]} />
    </svg>
  );
}
