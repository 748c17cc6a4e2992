import { shortNumber } from './report-text.ts';

/** Line or row of columns. */
export interface ChartSeries {
  readonly label: string;
  /** Null: there is a gap. */
  readonly values: readonly (number | null)[];
}

export interface LineChart {
  readonly title: string;
  /** Unit of the vertical axis. */
  readonly unit: string;
  /** Time from one value to the next, along the horizontal axis. */
  readonly secondsPerValue: number;
  readonly series: readonly ChartSeries[];
}

export interface BarChart {
  readonly title: string;
  readonly unit: string;
  readonly bars: readonly { readonly label: string; readonly value: number }[];
}

const width = 640;
const height = 240;
const left = 64;
const right = 16;
const top = 16;
const bottom = 36;
const plotWidth = width - left - right;
const plotHeight = height - top - bottom;
/** About so many lines across. */
const tickCount = 5;
/** The classes of lines and bars in the page's style sheet. */
export const colourCount = 4;

/** Text in HTML and SVG. */
export function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** Round numbers from 0 to `highest` or a little more: 1, 2 or 5 times a power of ten apart. */
export function ticks(highest: number): number[] {
  const rough = Math.max(highest, Number.MIN_VALUE * 1e10) / tickCount;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough) ?? power;
  const count = Math.ceil(highest / step - 1e-9);
  return Array.from({ length: Math.max(1, count) + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

/** Lines over the time of the run, as SVG. */
export function lineChart({ title, unit, secondsPerValue, series }: LineChart): string {
  const highest = Math.max(0, ...series.flatMap(({ values }) => values.filter((value) => value !== null)));
  const marks = ticks(highest > 0 ? highest : 1);
  const count = Math.max(1, ...series.map(({ values }) => values.length));
  const x = (index: number) => left + ((index + 0.5) * plotWidth) / count;
  const y = (value: number) => top + plotHeight * (1 - value / marks[marks.length - 1]);
  const lines = series.map(({ values }, index) => path(values, x, y, index % colourCount));
  const seconds = ticks(count * secondsPerValue).filter((second) => second <= count * secondsPerValue);
  const times = seconds.map((second) => {
    const at = left + (second * plotWidth) / (count * secondsPerValue);
    return `<text class="tick" x="${at.toFixed(1)}" y="${height - 18}" text-anchor="middle">${shortNumber(second)} s</text>`;
  });
  return svg(title, unit, [...grid(marks, y), ...times, ...lines], legend(series.map(({ label }) => label)));
}

/** Columns with their values above them, as SVG. */
export function barChart({ title, unit, bars }: BarChart): string {
  const marks = ticks(Math.max(...bars.map(({ value }) => value)) || 1);
  const y = (value: number) => top + plotHeight * (1 - value / marks[marks.length - 1]);
  const slot = plotWidth / bars.length;
  const columns = bars.map(({ label, value }, index) => {
    const middle = (left + (index + 0.5) * slot).toFixed(1);
    const start = (left + (index + 0.2) * slot).toFixed(1);
    const size = `width="${(slot * 0.6).toFixed(1)}" height="${(top + plotHeight - y(value)).toFixed(1)}"`;
    return (
      `<rect class="bar" x="${start}" y="${y(value).toFixed(1)}" ${size}/>` +
      `<text class="value" x="${middle}" y="${(y(value) - 4).toFixed(1)}" text-anchor="middle">${shortNumber(value)}</text>` +
      `<text class="tick" x="${middle}" y="${height - 18}" text-anchor="middle">${escapeText(label)}</text>`
    );
  });
  return svg(title, unit, [...grid(marks, y), ...columns], '');
}

function path(
  values: readonly (number | null)[],
  x: (index: number) => number,
  y: (value: number) => number,
  colour: number,
): string {
  let steps = '';
  let isDrawing = false;
  const points: string[] = [];
  for (const [index, value] of values.entries()) {
    if (value !== null) {
      const place = `${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
      steps += `${isDrawing ? 'L' : 'M'}${place}`;
      // So that a value between two gaps is seen.
      points.push(
        `<circle class="point colour${colour}" cx="${x(index).toFixed(1)}" cy="${y(value).toFixed(1)}" r="2.5"/>`,
      );
    }
    isDrawing = value !== null;
  }
  return `<path class="line colour${colour}" d="${steps}"/>${points.join('')}`;
}

function grid(marks: readonly number[], y: (value: number) => number): string[] {
  return marks.map((mark) => {
    const at = y(mark).toFixed(1);
    return (
      `<line class="grid" x1="${left}" x2="${width - right}" y1="${at}" y2="${at}"/>` +
      `<text class="tick" x="${left - 6}" y="${at}" dy="4" text-anchor="end">${shortNumber(mark)}</text>`
    );
  });
}

function legend(labels: readonly string[]): string {
  const items = labels.map((label, index) => `<li class="colour${index % colourCount}">${escapeText(label)}</li>`);
  return `<ul class="legend">${items.join('')}</ul>`;
}

function svg(title: string, unit: string, parts: readonly string[], after: string): string {
  return (
    `<figure><figcaption>${escapeText(title)} <span class="unit">${escapeText(unit)}</span></figcaption>` +
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeText(title)}">${parts.join('')}</svg>${after}</figure>`
  );
}
