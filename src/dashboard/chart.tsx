import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import type { Theme } from "./theme.ts";

export type Series = {
  readonly name: string;
  /** Name of the CSS custom property with the colour. */
  readonly colour: string;
  readonly values: readonly (number | null)[];
};

type ChartProps = {
  /** Description of the chart for screen readers; a table with the numbers follows. */
  readonly title: string;
  /** ISO times, one per value. */
  readonly times: readonly string[];
  /** True to draw bars on top of each other: each series is a part of the previous series. */
  readonly series: readonly Series[];
  readonly kind: "bars" | "line";
  readonly height: number;
  readonly format: (value: number) => string;
  /** Upper end of the scale; null = computed from the values. */
  readonly max?: number;
  /** A change redraws the chart with other colours. */
  readonly theme: Theme;
};

/** A small chart over hours. The pointer or the arrow keys select an hour and show its values. */
export function Chart({ title, times, series, kind, height, format, max, theme }: ChartProps) {
  const frame = useRef<HTMLDivElement>(null);
  const [index, setIndex] = useState<number | null>(null);
  const shown = index ?? times.length - 1;

  useEffect(() => {
    const place = frame.current;
    if (place === null) return;
    const colours = getComputedStyle(place);
    const colourOf = (name: string) => colours.getPropertyValue(name).trim();
    const axis = { stroke: colourOf("--quiet"), font: "11px system-ui, sans-serif" };
    const grid = { stroke: colourOf("--line"), width: 1 };
    const bars = uPlot.paths.bars?.({ size: [0.72, 22], radius: 0.15 });
    const top = max ?? Math.max(4, ...series.flatMap(({ values }) => values.map((value) => value ?? 0)));
    const plot = new uPlot(
      {
        width: place.clientWidth,
        height,
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, y: false, points: { show: false } },
        padding: [8, 16, 0, 0],
        scales: {
          x: { time: true, range: (_plot, from, to) => [from - 1800, to + 1800] },
          y: { range: [0, top * 1.05] },
        },
        axes: [
          { ...axis, grid: { show: false }, ticks: { show: false }, size: 22, space: 60, values: "{HH}:{mm}" },
          {
            ...axis,
            grid,
            ticks: { show: false },
            size: 44,
            space: 34,
            values: (_plot, values) => values.map((value) => (value === null ? "" : format(value))),
          },
        ],
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
        series: [
          {},
          ...series.map(({ name, colour }) =>
            kind === "bars"
              ? {
                  label: name,
                  fill: colourOf(colour),
                  width: 0,
                  points: { show: false },
                  ...(bars ? { paths: bars } : {}),
                }
              : { label: name, stroke: colourOf(colour), width: 2, spanGaps: true, points: { size: 5 } },
          ),
        ],
        hooks: { setCursor: [({ cursor }) => setIndex(cursor.idx ?? null)] },
      },
      [times.map((time) => Date.parse(time) / 1000), ...series.map(({ values }) => [...values])],
      place,
    );
    const follow = new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height }));
    follow.observe(place);
    return () => {
      follow.disconnect();
      plot.destroy();
    };
    // Compare the values by content, because the parent creates new arrays for each answer.
  }, [JSON.stringify([times, series]), kind, height, max, theme]);

  return (
    <figure class="chart">
      <figcaption class="row spread small">
        <span class="legend">
          {series.map(({ name, colour }) => (
            <span key={name}>
              <i style={{ background: `var(${colour})` }} />
              {name}
            </span>
          ))}
        </span>
        <output class="quiet">{readOut(times, series, shown, format)}</output>
      </figcaption>
      <div ref={frame} style={{ height: `${height}px` }} aria-hidden="true" />
      <table class="unseen">
        <caption>{title}</caption>
        <thead>
          <tr>
            <th scope="col">Hour</th>
            {series.map(({ name }) => (
              <th scope="col" key={name}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {times.map((time, row) => (
            <tr key={time}>
              <th scope="row">{time.slice(11, 16)}</th>
              {series.map(({ name, values }) => (
                <td key={name}>{valueText(values[row] ?? null, format)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  );
}

function readOut(
  times: readonly string[],
  series: readonly Series[],
  index: number,
  format: (value: number) => string,
): string {
  const values = series.map(
    ({ name, values: all }) => `${name.toLowerCase()} ${valueText(all[index] ?? null, format)}`,
  );
  return `${times[index]?.slice(11, 16) ?? ""} UTC · ${values.join(" · ")}`;
}

function valueText(value: number | null, format: (value: number) => string): string {
  return value === null ? "–" : format(value);
}
