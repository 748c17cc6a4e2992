import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BenchFailure } from '../src/bench/bench-failure.ts';
import { type BenchRow, standardRows } from '../src/bench/bench-row.ts';
import { benchTableHeader, benchTableLine } from '../src/bench/bench-table.ts';
import { parseTarget } from '../src/bench/bench-target.ts';
import { Latencies } from '../src/bench/latencies.ts';
import { payloadBytesMin } from '../src/bench/message-publisher.ts';
import { type BenchResult, runBenchRow } from '../src/bench/run-bench.ts';
import { benchCommand } from '../src/commands/bench.ts';

const mosquittoPath = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/usr/bin/mosquitto'].find(existsSync);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Resolves when the broker says that it runs, which it does once it listens. */
async function running(child: ChildProcess): Promise<void> {
  for await (const line of createInterface({ input: child.stderr as Readable })) if (line.endsWith(' running')) return;
  throw new Error('mosquitto ended before it ran');
}

describe.skipIf(mosquittoPath === undefined)('against mosquitto, which is skipped where it is not installed', () => {
  let broker: ChildProcess;
  let port: number;
  let directory: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'dunlin-bench-test-'));
    port = await freePort();
    // By itself it closes a 3.1.1 client with more than 20 QoS 2 messages in flight; the windows here are larger.
    const limits = ['max_queued_messages 0', 'max_inflight_messages 1000'];
    const lines = [
      `listener ${port} 127.0.0.1`,
      'allow_anonymous true',
      ...limits,
      'log_dest stderr',
      'log_type information',
      'log_type notice',
      '',
    ];
    writeFileSync(join(directory, 'mosquitto.conf'), lines.join('\n'));
    broker = spawn(mosquittoPath as string, ['-c', join(directory, 'mosquitto.conf')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await running(broker);
  });

  afterAll(async () => {
    const ended = once(broker, 'exit');
    broker.kill();
    await ended;
    rmSync(directory, { recursive: true });
  });

  const measure = (row: BenchRow): Promise<BenchResult> =>
    runBenchRow(row, {
      target: parseTarget(`127.0.0.1:${port}`),
      seconds: 1,
      payloadBytes: 64,
      pids: [broker.pid as number],
    });

  test.each(standardRows.filter(({ scenario }) => scenario !== 'connect'))('$name delivers', async (row) => {
    const result = await measure(row);
    expect(result.failure).toBeNull();
    const messages = result.messages;
    expect(messages?.deliveredPerSecond).toBeGreaterThan(0);
    expect(messages?.p50Microseconds).toBeGreaterThan(0);
    expect(messages?.p999Microseconds).toBeGreaterThanOrEqual(messages?.p50Microseconds as number);
    expect(messages?.brokerCpuMicrosecondsPerDelivery).toBeGreaterThan(0);
    expect(messages?.duplicatedOrLate).toBe(0);
    if (row.qos > 0) expect(messages?.received).toBe(messages?.expected);
  });

  test.each(standardRows.filter(({ scenario }) => scenario === 'connect'))('$name connects', async (row) => {
    const result = await measure({ ...row, connections: 100 });
    expect(result.failure).toBeNull();
    expect(result.connects).toMatchObject({ connects: 100 });
    expect(result.connects?.connectsPerSecond).toBeGreaterThan(0);
    expect(result.connects?.p50Microseconds).toBeGreaterThan(0);
  });

  test('the command prints JSON for a row made from options', async () => {
    const printed: string[] = [];
    const log = console.log;
    console.log = (text: string) => printed.push(text);
    try {
      const row = ['--scenario', 'pair', '--subscribers', '2', '--qos', '1', '--mqtt', '5', '--window', '10'];
      await benchCommand.parseAsync([`mqtt://127.0.0.1:${port}`, ...row, '--seconds', '1', '--json'], { from: 'user' });
    } finally {
      console.log = log;
    }
    const [result] = JSON.parse(printed.join('\n')) as BenchResult[];
    expect(result.row).toMatchObject({
      scenario: 'pair',
      publishers: 2,
      subscribers: 2,
      qos: 1,
      version: 5,
      window: 10,
    });
    expect(result.messages?.received).toBe(result.messages?.expected);
    expect(benchTableLine(result)).toMatch(/^pair +\d+ .* exact$/);
    expect(benchTableHeader()).toContain('p99.9 us');
  });
});

test('an address where nobody listens is a failure of the row', async () => {
  const target = parseTarget(`mqtt://127.0.0.1:${await freePort()}`);
  for (const row of [standardRows[0], standardRows.find(({ scenario }) => scenario === 'connect') as BenchRow]) {
    const result = await runBenchRow(row, { target, seconds: 1, payloadBytes: payloadBytesMin, pids: [] });
    expect(result.failure?.code).toBe('BENCH_CONNECT');
    expect(benchTableLine(result)).toContain('not measured: cannot connect');
  }
});

test('addresses are read as written, and nonsense is refused', () => {
  expect(parseTarget('localhost')).toMatchObject({ host: 'localhost', port: 1883, isTls: false });
  expect(parseTarget('mqtts://u:p%40ss@[::1]')).toMatchObject({
    host: '::1',
    port: 8883,
    isTls: true,
    userName: 'u',
    password: 'p@ss',
  });
  for (const address of ['http://localhost', 'mqtt://', 'mqtt://host:99999']) {
    expect(() => parseTarget(address)).toThrow(BenchFailure);
  }
});

test('percentiles stay within the error of a bucket', () => {
  const latencies = new Latencies();
  expect(latencies.percentileMicroseconds(0.5)).toBe(0);
  for (let microseconds = 1; microseconds <= 100_000; microseconds++) latencies.add(microseconds / 1000);
  for (const share of [0.001, 0.5, 0.99, 0.999]) {
    const exact = 100_000 * share;
    expect(Math.abs(latencies.percentileMicroseconds(share) - exact) / exact).toBeLessThan(1 / 64);
  }
});
