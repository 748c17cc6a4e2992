import { describe, expect, test } from 'vitest';
import { barChart, lineChart, ticks } from '../src/chart.ts';
import { slotMetric } from '../src/metric-table.ts';
import { makeReport, type SummaryData, type SummaryMetric } from '../src/report.ts';
import { reportPage } from '../src/report-page.ts';
import { reportText, shortNumber } from '../src/report-text.ts';
import { readSettings } from '../src/settings.ts';

const settings = readSettings('fan-out', {
  BROKER_URL: 'ws://127.0.0.1:8080/<mqtt>',
  DURATION_SECONDS: '50',
  PUBLISHERS: '3',
});

function trend(count: number, value: number): SummaryMetric {
  const names = ['avg', 'min', 'med', 'p(90)', 'p(95)', 'p(99)', 'p(99.9)', 'max'];
  return { values: { count, ...Object.fromEntries(names.map((name, index) => [name, value + index])) } };
}

/** A run of 7 s: slots are 2 s long, the third is empty, and the fourth was over after a second. */
const data: SummaryData = {
  state: { testRunDurationMs: 7000 },
  metrics: {
    mqtt_latency: { ...trend(60, 10), thresholds: { 'p(99)<12': { ok: false } } },
    [slotMetric('mqtt_latency', 0)]: { ...trend(30, 10), thresholds: { 'max>=0': { ok: true } } },
    [slotMetric('mqtt_latency', 1)]: trend(20, 20),
    [slotMetric('mqtt_latency', 3)]: trend(10, 30),
    mqtt_messages_sent: { values: { count: 60, rate: 9 } },
    [slotMetric('mqtt_messages_sent', 0)]: { values: { count: 30 } },
    [slotMetric('mqtt_messages_sent', 1)]: { values: { count: 20 } },
    [slotMetric('mqtt_messages_sent', 3)]: { values: { count: 10 } },
    mqtt_messages_lost: { values: { count: 0 }, thresholds: { 'count<=0': { ok: true } } },
    ws_sessions: { values: { count: 4 } },
  },
};

describe('report', () => {
  const report = makeReport(settings, data);

  test('thresholds, with the value they are about; none of a slot', () => {
    expect(report.isPassed).toBe(false);
    expect(report.thresholds).toEqual([
      { metric: 'mqtt_latency', condition: 'p(99)<12', value: 15, isMet: false },
      { metric: 'mqtt_messages_lost', condition: 'count<=0', value: 0, isMet: true },
    ]);
  });

  test('trends that have values, and every counter', () => {
    expect(report.trends.map(({ metric, count, mean }) => [metric, count, mean])).toEqual([['mqtt_latency', 60, 10]]);
    expect(report.trends[0].quantiles).toMatchObject({ min: 11, med: 12, 'p(99.9)': 16, max: 17 });
    expect(report.counters).toContainEqual({ metric: 'mqtt_messages_sent', count: 60 });
    expect(report.counters).toContainEqual({ metric: 'mqtt_errors', count: 0 });
  });

  test('series over the time of the run', () => {
    const series = Object.fromEntries(
      report.series.map(({ metric, statistic, values }) => [metric + statistic, values]),
    );
    expect(report.slotSeconds).toBe(2);
    expect(series).toMatchObject({
      mqtt_latencymed: [12, 22, null, 32],
      mqtt_latencymax: [17, 27, null, 37],
      mqtt_messages_sentrate: [15, 10, 0, 10],
    });
    expect(Object.keys(series)).toHaveLength(5);
  });

  test('as text', () => {
    const text = reportText(report);
    expect(text).toMatch(/^fan-out: FAILED, 7 s\n/);
    expect(text).toMatch(/^ {2}PUBLISHERS +3$/m);
    expect(text).toMatch(/^ {2}mqtt_latency +60 +10 +11 +12 +13 +14 +15 +16 +17$/m);
    expect(text).toMatch(/^ {2}NOT MET {2}mqtt_latency p\(99\)<12 +it is 15$/m);
    expect(text).toMatch(/^ {2}met {6}mqtt_messages_lost count<=0$/m);
  });

  test('as a page that needs nothing else', () => {
    const page = reportPage(report);
    expect(page).not.toMatch(/<script|<link|<img|@import|url\(/);
    expect(page.match(/https?:/g)).toBeNull();
    expect(page).toContain('ws://127.0.0.1:8080/&lt;mqtt&gt;');
    // Messages over time, latency over time, the distribution of latency.
    expect(page.match(/<svg /g)).toHaveLength(3);
    expect(page).toContain('<span class="missed">failed</span>');
  });

  test('a run in which nothing came still has a report', () => {
    const nothing = makeReport(settings, { state: { testRunDurationMs: 10 }, metrics: {} });
    expect(nothing).toMatchObject({ trends: [], series: [], thresholds: [] });
    expect(reportText(nothing)).toContain('mqtt_errors');
    expect(reportPage(nothing)).toContain('</html>');
  });
});

describe('chart', () => {
  test.each([
    [1, [0, 0.2, 0.4, 0.6, 0.8, 1]],
    [7, [0, 2, 4, 6, 8]],
    [0.03, [0, 0.01, 0.02, 0.03]],
    [1234, [0, 500, 1000, 1500]],
    [100, [0, 20, 40, 60, 80, 100]],
  ])('ticks up to %d', (highest, expected) => {
    expect(ticks(highest)).toEqual(expected);
  });

  test('ticks reach the highest value with a handful of marks, whatever it is', () => {
    for (let power = -3; power < 7; power += 0.37) {
      const highest = 10 ** power;
      const marks = ticks(highest);
      expect(marks.at(-1)).toBeGreaterThanOrEqual(highest * (1 - 1e-9));
      expect(marks.length).toBeGreaterThanOrEqual(3);
      expect(marks.length).toBeLessThanOrEqual(7);
    }
  });

  test('a line has a gap where there is no value', () => {
    const svg = lineChart({
      title: 'a <b>',
      unit: 'ms',
      secondsPerValue: 1,
      series: [{ label: 'p50', values: [0, 5, null, 10] }],
    });
    expect(svg).toContain('a &lt;b&gt;');
    const steps = /<path class="line colour0" d="([^"]*)"/.exec(svg)?.[1];
    expect(steps?.match(/M/g)).toHaveLength(2);
    expect(steps?.match(/L/g)).toHaveLength(1);
    expect(svg).not.toContain('NaN');
  });

  test('columns are as high as their values', () => {
    const svg = barChart({
      title: 't',
      unit: 'ms',
      bars: [
        { label: 'min', value: 0 },
        { label: 'p50', value: 5 },
        { label: 'max', value: 10 },
      ],
    });
    const heights = [...svg.matchAll(/<rect [^>]*height="([^"]*)"/g)].map((match) => Number(match[1]));
    expect(heights[0]).toBe(0);
    expect(heights[2]).toBeCloseTo(2 * heights[1], 1);
    expect(svg).not.toContain('NaN');
  });

  test.each([
    [0, '0'],
    [0.1234, '0.12'],
    [12.345, '12.3'],
    [1234.5, '1235'],
    [1_000_000, '1000000'],
  ])('%d is written %s', (value, text) => {
    expect(shortNumber(value)).toBe(text);
  });
});
