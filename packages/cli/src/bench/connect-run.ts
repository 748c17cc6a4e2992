/** Measurement of clients that come and go: connect, CONNACK, DISCONNECT, a bounded number at a time. */
import { BenchClient, type ClientSink } from './bench-client.ts';
import type { BenchFailure } from './bench-failure.ts';
import type { BenchRow } from './bench-row.ts';
import { Latencies } from './latencies.ts';
import type { RunOptions } from './message-run.ts';
import { cpuSeconds } from './process-cpu.ts';

export interface ConnectResult {
  connects: number;
  connectsPerSecond: number;
  /** Median time from opening the socket to CONNACK. */
  p50Microseconds: number;
  p99Microseconds: number;
  p999Microseconds: number;
  /** Null when no process was named. */
  brokerCpuMicrosecondsPerConnect: number | null;
}

/** A client that fails rejects its own `connect`; the run hears of it there. */
const sink: ClientSink = {
  onDelivery: () => {},
  onRoom: () => {},
  onFailure: (_failure: BenchFailure) => {},
};

/** Throws a BenchFailure when the broker does not take a client. */
export async function runConnects(row: BenchRow, options: RunOptions): Promise<ConnectResult> {
  const latencies = new Latencies();
  const prefix = `bench-${process.pid}-${Date.now() % 1_000_000}`;
  const cpuBefore = cpuSeconds(options.pids);
  const start = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < row.connections) {
      const index = next++;
      const opened = performance.now();
      const client = new BenchClient(options.target, row.version, index, sink);
      await client.connect(`${prefix}-${index}`);
      latencies.add(performance.now() - opened);
      await client.leave();
    }
  };
  await Promise.all(Array.from({ length: Math.min(row.window, row.connections) }, worker));
  const seconds = (performance.now() - start) / 1000;
  const cpu = cpuSeconds(options.pids) - cpuBefore;
  return {
    connects: row.connections,
    connectsPerSecond: row.connections / seconds,
    p50Microseconds: latencies.percentileMicroseconds(0.5),
    p99Microseconds: latencies.percentileMicroseconds(0.99),
    p999Microseconds: latencies.percentileMicroseconds(0.999),
    brokerCpuMicrosecondsPerConnect: options.pids.length === 0 ? null : (cpu * 1e6) / row.connections,
  };
}
