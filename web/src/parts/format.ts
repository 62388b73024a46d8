/** Numbers and times as people read them. */
import { text } from '../text';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = value >= 100 || Number.isInteger(value) ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

export const mebibytes = (count: number): string => bytes(count * 1024 * 1024);

export const percent = (part: number): string => `${Math.round(part)}%`;

export function clock(milliseconds: number | null): string {
  if (milliseconds === null) return '';
  const date = new Date(milliseconds);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? date.toLocaleTimeString() : date.toLocaleString();
}

export function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 90) return text.time.seconds(seconds);
  if (seconds < 5400) return text.time.minutes(Math.round(seconds / 60));
  if (seconds < 129_600) return text.time.hours(Math.round(seconds / 3600));
  return text.time.days(Math.round(seconds / 86_400));
}
