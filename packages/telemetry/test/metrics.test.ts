import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dropReasons, MemoryStore, Metrics, StoreError } from '@dunlin/broker';
import { describe, expect, test } from 'vitest';
import { type NodeFigures, NodeMetrics, WorkerFigures, WorkerRegion } from '../src/index.ts';
import { measuredStore } from '../src/measured-store.ts';
import { metricRows } from '../src/metric-names.ts';
import { metricsReference } from '../src/metrics-document.ts';
import { notReadyReasons } from '../src/node-figures.ts';
import { slotsOf } from '../src/worker-region.ts';

const listeners = ['tcp://127.0.0.1:1883', 'inside'];
const node: NodeFigures = {
  openFiles: { open: 40, max: 1024 },
  version: '1.2.3',
  runtime: 'v26.0.0',
  startedAt: 1_000_000,
  isReady: true,
  notReady: [],
  listening: 2,
  replaced: 0,
  auditDropped: 0,
  adminKeysRefused: 0,
  connectionsMax: 100,
  certificateEnds: [{ listener: 'inside', endsAt: 2_000_000 }],
  memoryLimitBytes: 9,
  residentBytes: 5,
  anonymousBytes: 4,
  heapBytes: 4,
  externalBytes: 3,
  cpuUserSeconds: 1.5,
  cpuSystemSeconds: 0.5,
};

function worker(metrics: NodeMetrics, index: number): { figures: WorkerFigures; region: WorkerRegion } {
  const figures = new WorkerFigures(listeners);
  return { figures, region: new WorkerRegion(figures, listeners, metrics.attach(index)) };
}

/** The number of the line that begins so. */
function numberOf(text: string, series: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  if (line === undefined) throw new TypeError(`no line ${series} in\n${text}`);
  return Number(line.slice(series.length + 1));
}

describe('the table', () => {
  test('docs/metrics.md is fresh (npm run docs)', () => {
    expect(readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8')).toBe(metricsReference());
  });

  test('each name once; nothing by client or topic', () => {
    expect(new Set(metricRows.map(({ name }) => name)).size).toBe(metricRows.length);
    expect(metricRows.flatMap(({ labels }) => labels).filter((label) => /client|topic/.test(label))).toEqual([]);
  });

  test('whatever a worker counts is told', () => {
    // Told by listener, and in $SYS alone, where Mosquitto counts payloads: metrics count whole packets.
    const elsewhere = ['connectionsOpened', 'connectionsClosed', 'payloadBytesReceived', 'payloadBytesSent'];
    const slots = slotsOf(['x']).flat();
    const names = Object.keys(new Metrics()).filter((name) => !elsewhere.includes(name));
    const untold = names.filter((name) => {
      const figures = new WorkerFigures(['x']);
      const metrics = figures.broker as unknown as Record<string, unknown>;
      if (typeof metrics[name] !== 'number') return false;
      const before = slots.map((slot) => slot.read(figures));
      metrics[name] = 7;
      return slots.every((slot, at) => slot.read(figures) === before[at]);
    });
    expect(untold).toEqual([]);
  });

  test('every way a message can end has a label', async () => {
    const metrics = new NodeMetrics(listeners);
    worker(metrics, 0).region.write();
    const { text } = await metrics.text(node);
    for (const reason of dropReasons) expect(text).toContain(`dunlin_messages_dropped_total{reason="${reason}"} 0`);
  });
});

describe('the text', () => {
  test('promtool has nothing to say', async () => {
    const metrics = new NodeMetrics(listeners);
    worker(metrics, 0).region.write();
    worker(metrics, 1).region.write();
    const { text } = await metrics.text(node);
    expect(execFileSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })).toBe('');
  });

  test('workers are added up, or told apart, and what only the supervisor knows is there', async () => {
    const metrics = new NodeMetrics(listeners);
    const [a, b] = [worker(metrics, 0), worker(metrics, 1)];
    a.figures.broker.publishesReceived = 10;
    a.figures.broker.publishesReceived1 = 4;
    b.figures.broker.publishesReceived = 5;
    b.figures.broker.publishesReceived2 = 5;
    a.figures.broker.listener('inside').opened = 3;
    a.figures.broker.listener('inside').connected[5] = 2;
    a.figures.delaySeconds.observe(0.004);
    b.figures.storeSeconds.append.observe(0.3);
    b.figures.storeConnected = 0;
    a.figures.heapBytes = 100;
    b.figures.heapBytes = 200;
    a.figures.externalBytes = 1000;
    b.figures.externalBytes = 2000;
    a.region.write();
    b.region.write();
    const { text } = await metrics.text(node);
    expect(numberOf(text, 'dunlin_messages_received_total{qos="0"}')).toBe(6);
    expect(numberOf(text, 'dunlin_messages_received_total{qos="1"}')).toBe(4);
    expect(numberOf(text, 'dunlin_messages_received_total{qos="2"}')).toBe(5);
    expect(numberOf(text, 'dunlin_connections_opened_total{listener="inside"}')).toBe(3);
    expect(numberOf(text, 'dunlin_connections{listener="inside",version="5"}')).toBe(2);
    expect(numberOf(text, 'dunlin_event_loop_delay_seconds_bucket{worker="0",le="0.002"}')).toBe(0);
    expect(numberOf(text, 'dunlin_event_loop_delay_seconds_bucket{worker="0",le="0.005"}')).toBe(1);
    expect(numberOf(text, 'dunlin_event_loop_delay_seconds_count{worker="1"}')).toBe(0);
    expect(numberOf(text, 'dunlin_store_seconds_bucket{operation="append",le="0.25"}')).toBe(0);
    expect(numberOf(text, 'dunlin_store_seconds_bucket{operation="append",le="+Inf"}')).toBe(1);
    expect(numberOf(text, 'dunlin_store_seconds_sum{operation="append"}')).toBe(0.3);
    expect(numberOf(text, 'dunlin_store_connected')).toBe(0);
    expect(numberOf(text, 'dunlin_memory_bytes{kind="resident"}')).toBe(5);
    expect(numberOf(text, 'dunlin_memory_bytes{kind="heap"}')).toBe(304);
    expect(numberOf(text, 'dunlin_memory_bytes{kind="external"}')).toBe(3003);
    expect(numberOf(text, 'dunlin_worker_external_bytes{worker="1"}')).toBe(2000);
    expect(numberOf(text, 'dunlin_build_info{version="1.2.3",runtime="v26.0.0"}')).toBe(1);
    expect(numberOf(text, 'dunlin_connections_max')).toBe(100);
    expect(numberOf(text, 'dunlin_memory_limit_bytes')).toBe(9);
    expect(numberOf(text, 'dunlin_certificate_end_time_seconds{listener="inside"}')).toBe(2_000_000);
  });

  test('why the node is not ready, each reason with a number; nothing of certificates that are not there', async () => {
    const { text } = await new NodeMetrics(listeners).text({
      ...node,
      isReady: false,
      notReady: ['store', 'draining'],
      certificateEnds: [],
    });
    const holds = notReadyReasons.filter((reason) => numberOf(text, `dunlin_not_ready{reason="${reason}"}`) === 1);
    expect(holds).toEqual(['store', 'draining']);
    expect(numberOf(text, 'dunlin_ready')).toBe(0);
    expect(text).not.toContain('dunlin_certificate_end_time_seconds{');
  });

  test('before the first worker nothing is reached', async () => {
    const { text } = await new NodeMetrics(listeners).text(node);
    expect(numberOf(text, 'dunlin_store_connected')).toBe(0);
    expect(numberOf(text, 'dunlin_endpoints')).toBe(0);
  });

  test('a worker dies: what it had counted stays, what it held does not; its successor counts on', async () => {
    const metrics = new NodeMetrics(listeners);
    const first = worker(metrics, 0);
    first.figures.broker.publishesSent = 7;
    first.figures.broker.sessions = 3;
    first.figures.broker.acknowledgementSeconds.observe(0.02);
    first.region.write();
    metrics.detach(0);
    const { text: meanwhile } = await metrics.text(node);
    expect(numberOf(meanwhile, 'dunlin_messages_sent_total{qos="0"}')).toBe(7);
    expect(numberOf(meanwhile, 'dunlin_sessions')).toBe(0);
    const second = worker(metrics, 0);
    second.figures.broker.publishesSent = 2;
    second.figures.broker.sessions = 1;
    second.region.write();
    const { text } = await metrics.text(node);
    expect(numberOf(text, 'dunlin_messages_sent_total{qos="0"}')).toBe(9);
    expect(numberOf(text, 'dunlin_sessions')).toBe(1);
    expect(numberOf(text, 'dunlin_acknowledgement_seconds_count')).toBe(1);
  });
});

describe('a measured store', () => {
  test('counts answers and failures, and passes them on', async () => {
    const { storeSeconds } = new WorkerFigures([]);
    const store = measuredStore(new MemoryStore(), storeSeconds);
    await expect(store.retained.set('a', null, Number.POSITIVE_INFINITY)).rejects.toThrow(StoreError);
    await store.open();
    await store.retained.set('a', Buffer.from('x'), Number.POSITIVE_INFINITY);
    expect(await store.retained.count()).toBe(1);
    const count = (counts: readonly number[]): number => counts.reduce((sum, one) => sum + one, 0);
    expect(count(storeSeconds['write-retained'].counts)).toBe(2);
    expect(count(storeSeconds.other.counts)).toBe(1);
  });
});
