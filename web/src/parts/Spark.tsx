import { useEffect } from 'react';
import { useFigures, watchFigures } from '../store/figures';
import { text } from '../text';
import { percent } from './format';

const WIDTH = 112;
const HEIGHT = 28;
const MOMENTS = 30;

/** A VM's use of its processors in the last minute, small. */
export function Spark({ vm }: { vm: number }) {
  useEffect(watchFigures, []);
  const moments = useFigures((state) => state.moments);
  const values = moments.slice(-MOMENTS).map((moment) => moment.vms.get(vm)?.cpu_usage ?? 0);
  const last = values.at(-1);
  if (last === undefined) return null;
  const x = (index: number): number => WIDTH - (values.length - 1 - index) * (WIDTH / (MOMENTS - 1));
  const y = (value: number): number => HEIGHT - 1 - (Math.min(value, 100) / 100) * (HEIGHT - 2);
  const line = values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
  return (
    <span className="vs-meter">
      <svg className="vs-spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`${text.overview.cpu}: ${percent(last)}`}>
        <polyline points={line} fill="none" stroke="currentColor" strokeWidth="1.5" />
      </svg>
      <span className="vs-number" aria-hidden>
        {percent(last)}
      </span>
    </span>
  );
}
