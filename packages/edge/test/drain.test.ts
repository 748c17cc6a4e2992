import { type DrainOptions, drainAnswerMilliseconds, type LogEvent } from '@dunlin/broker';
import { drainEndSeconds } from '@dunlin/config';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type DrainPool, NodeDrain, spreadMilliseconds } from '../src/drain.ts';
import { stopTimeoutMilliseconds } from '../src/serve.ts';

const settings = { graceSeconds: 25, delaySeconds: 1, ratePerSecond: 0, serverReference: '' };

test('the end of a drain takes no longer than the configuration leaves for it', () => {
  expect(drainAnswerMilliseconds + stopTimeoutMilliseconds).toBeLessThanOrEqual(drainEndSeconds * 1000);
});

describe('the pace', () => {
  const cases: [title: string, connections: number, changes: object, isAlone: boolean, milliseconds: number][] = [
    ['nobody', 0, {}, false, 0],
    ['a few in a cluster: 500 a second', 250, {}, false, 500],
    ['many in a cluster: as the grace allows', 1_000_000, {}, false, 19_000],
    ['a node alone: at once', 1000, {}, true, 0],
    ['a rate that was set', 1000, { ratePerSecond: 100 }, false, 10_000],
    ['a rate that was set, alone', 1000, { ratePerSecond: 100 }, true, 10_000],
    ['a rate that the grace does not allow', 1000, { ratePerSecond: 10 }, false, 19_000],
    ['a longer delay leaves less', 1000, { ratePerSecond: 10, delaySeconds: 15 }, false, 5000],
    ['the shortest grace', 1000, { graceSeconds: 5, delaySeconds: 0 }, false, 0],
  ];
  test.each(cases)('%s', (_title, connections, changes, isAlone, milliseconds) => {
    expect(spreadMilliseconds(connections, { ...settings, ...changes }, isAlone)).toBe(milliseconds);
  });
});

/** Workers that note what they are told; `drained` says when no client is left. */
class Pool implements DrainPool {
  readonly told: string[] = [];
  readonly drained = Promise.withResolvers<void>();
  connections = 1000;

  async closeListeners(): Promise<void> {
    this.told.push('close');
  }
  drain(options: DrainOptions): Promise<void> {
    this.told.push(`drain over ${options.spreadMilliseconds} ms to ${options.serverReference}`);
    return this.drained.promise;
  }
  async status(): Promise<{ connections: number }[]> {
    return [{ connections: this.connections / 2 }, { connections: this.connections / 2 }];
  }
}

describe('the way out', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function begin(changes: object = {}) {
    const pool = new Pool();
    const lines: string[] = [];
    const add = (event: LogEvent, fields?: { connections?: number }): void => {
      const { message } = event;
      lines.push(fields?.connections === undefined ? message : `${message} ${fields.connections}`);
    };
    const logger = { debug: add, info: add, warn: add, error: add };
    const all = { ...settings, serverReference: 'b', ...changes };
    const drain = new NodeDrain({ pool, logger, settings: all, isAlone: false });
    const state = { isOver: false };
    void drain.run().then(() => {
      state.isOver = true;
    });
    return { pool, lines, drain, state };
  }

  test('delay, listeners, clients; one line a second with those that are left', async () => {
    const { pool, lines, drain, state } = begin();
    await vi.advanceTimersByTimeAsync(999);
    expect(pool.told).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(pool.told).toEqual(['close', 'drain over 2000 ms to b']);
    pool.connections = 600;
    await vi.advanceTimersByTimeAsync(1000);
    pool.connections = 100;
    await vi.advanceTimersByTimeAsync(999);
    expect(lines).toEqual([
      'the node accepts no more clients, and sends those it has away 1000',
      'the node is draining 600',
    ]);
    await vi.advanceTimersByTimeAsync(1);
    expect(state.isOver).toBe(false);
    pool.drained.resolve();
    await drain.run();
    await vi.advanceTimersByTimeAsync(5000);
    expect(lines.slice(2)).toEqual(['the node is draining 100', 'the node is drained 1000']);
    expect(state.isOver).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('workers that do not get through leave room for the stop', async () => {
    const { lines, state } = begin();
    await vi.advanceTimersByTimeAsync(20_999);
    expect(state.isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(state.isOver).toBe(true);
    expect(lines.at(-1)).toBe('clients are left when the time to send them away is over');
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([500, 1500])('cut short after %s ms', async (milliseconds) => {
    const { pool, drain, state } = begin();
    await vi.advanceTimersByTimeAsync(milliseconds);
    drain.cutShort();
    await vi.advanceTimersByTimeAsync(0);
    expect(state.isOver).toBe(true);
    const told = pool.told.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(pool.told).toHaveLength(told);
    expect(vi.getTimerCount()).toBe(0);
  });
});
