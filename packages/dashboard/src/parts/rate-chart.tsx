import { useEffect, useRef } from 'preact/hooks';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

const chartPixels = 180;
/** Time that is shown at least, also while there is little to show. */
const secondsMin = 60;

/** First and last time to show. uPlot itself makes years of a single point. */
function timesOf(times: ArrayLike<number>): [number, number] {
  const last = times[times.length - 1] ?? Date.now() / 1000;
  return [Math.min(times[0] ?? last, last - secondsMin), last];
}

export interface Series {
  name: string;
  /** Name of the colour in style.css. */
  colour: string;
}

/** Lines over time. `data`: seconds since 1970, then the values of each series. */
export function RateChart({ label, series, data }: { label: string; series: readonly Series[]; data: number[][] }) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<UPlot | null>(null);
  useEffect(() => {
    const box = place.current as HTMLDivElement;
    const colour = (name: string) => () => getComputedStyle(box).getPropertyValue(name);
    const axis = { stroke: colour('--quiet'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } };
    chart.current = new UPlot(
      {
        width: box.clientWidth,
        height: chartPixels,
        cursor: { show: false },
        legend: { show: false },
        series: [{}, ...series.map(({ name, colour: of }) => ({ label: name, stroke: colour(of), width: 2 }))],
        axes: [axis, { ...axis, size: 56 }],
        scales: {
          x: { range: (chart) => timesOf(chart.data[0]) },
          y: { range: (_chart, _low, high) => [0, Math.max(1, high * 1.1)] },
        },
      },
      data as UPlot.AlignedData,
      box,
    );
    const observer = new ResizeObserver(() => chart.current?.setSize({ width: box.clientWidth, height: chartPixels }));
    observer.observe(box);
    return () => {
      observer.disconnect();
      chart.current?.destroy();
    };
  }, []);
  useEffect(() => chart.current?.setData(data as UPlot.AlignedData), [data]);
  return (
    <figure class="chart">
      <figcaption>
        {label}{' '}
        {series.map(({ name, colour }) => (
          <span key={name} class={`key ${colour.slice(2)}`}>
            {name}
          </span>
        ))}
      </figcaption>
      <div ref={place} aria-hidden="true" />
    </figure>
  );
}
