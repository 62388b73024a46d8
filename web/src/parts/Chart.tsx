import 'uplot/dist/uPlot.min.css';
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';

export interface Line {
  label: string;
  /** CSS colour, or a variable of the theme. */
  color: string;
  values: readonly (number | null)[];
}

interface Props {
  title: string;
  /** Seconds since 1970. */
  times: readonly number[];
  lines: readonly Line[];
  format(value: number): string;
  /** The largest value there can be; without it the scale follows the values. */
  most?: number;
}

const HEIGHT = 130;

/** Colours of lines: apart from each other and from the ground, light and dark. */
export const BLUE = '--pf-t--global--color--brand--default';
export const ORANGE = '--pf-t--color--orange--50';

/** A time of day on one line: a second one, with the date, would not fit below the chart. */
const momentOf = (seconds: number): string => new Date(seconds * 1000).toLocaleTimeString(undefined, { timeStyle: 'medium' });

const colorOf = (element: Element, color: string): string =>
  color.startsWith('--') ? getComputedStyle(element).getPropertyValue(color) : color;

/** Lines over time that move on as values come. */
export function Chart({ title, times, lines, format, most }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data = [times, ...lines.map((line) => line.values)] as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;
  const shape = JSON.stringify([lines.map(({ label, color }) => [label, color]), most]);
  useEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    const [series] = JSON.parse(shape) as [[string, string][]];
    const faint = colorOf(element, '--pf-t--global--border--color--default');
    const subtle = colorOf(element, '--pf-t--global--text--color--subtle');
    const axis = { stroke: subtle, grid: { stroke: faint, width: 1 }, ticks: { show: false } };
    const made = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        cursor: { show: false },
        legend: { show: false },
        scales: { y: { range: (_, __, highest) => [0, most ?? Math.max(highest || 0, 1)] } },
        axes: [
          { ...axis, size: 28, gap: 10, space: 90, values: (_, splits) => splits.map(momentOf) },
          { ...axis, size: 68, splits: (self) => [0, (self.scales.y?.max ?? 1) / 2, self.scales.y?.max ?? 1], values: (_, splits) => splits.map(format) },
        ],
        series: [
          {},
          ...series.map(([label, color]) => ({
            label,
            stroke: colorOf(element, color),
            width: 1.5,
            points: { show: false },
          })),
        ],
      },
      latest.current,
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, format]);
  useEffect(() => plot.current?.setData(latest.current));
  const now = lines.map(({ label, values }) => `${label} ${format(values.at(-1) ?? 0)}`).join(', ');
  return (
    <figure className="vs-figure">
      <figcaption className="vs-title">
        <strong>{title}</strong>
        <span className="vs-number vs-subtle vs-push">{lines.length === 1 ? format(lines[0]?.values.at(-1) ?? 0) : now}</span>
      </figcaption>
      <div ref={place} className="vs-chart" role="img" aria-label={`${title}: ${now}`} />
    </figure>
  );
}
