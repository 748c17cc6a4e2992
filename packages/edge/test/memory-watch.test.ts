import type { LogEvent, Logger } from '@dunlin/broker';
import { describe, expect, test } from 'vitest';
import { anonymousBytes, MemoryWatch } from '../src/memory-watch.ts';

const mebibyte = 1024 * 1024;

/** Memory of 1000 MiB; `used` and `garbage` are in MiB. */
class Memory {
  used = 100;
  garbage = 0;
  /** Buffers that can be given up. */
  buffers = 0;
  time = 0;
  collections = 0;
  readonly shed: number[] = [];
  readonly levels: number[] = [];
  readonly lines: string[] = [];
  readonly watch: MemoryWatch;

  constructor() {
    const line = (event: LogEvent): void => void this.lines.push(event.name);
    this.watch = new MemoryWatch({
      ...{ limitBytes: 1000 * mebibyte, highPercent: 70, criticalPercent: 85 },
      logger: { debug: line, info: line, warn: line, error: line } as unknown as Logger,
      usedBytes: () => (this.used + this.garbage + this.buffers) * mebibyte,
      collect: async () => {
        this.collections++;
        this.garbage = 0;
      },
      shed: (bytes) => {
        this.shed.push(Math.round(bytes / mebibyte));
        const given = Math.min(this.buffers, Math.ceil(bytes / mebibyte));
        this.buffers -= given;
        this.garbage += given;
      },
      measured: () => undefined,
      changed: (level) => this.levels.push(level),
      now: () => this.time,
    });
  }

  /** Looks for a while, ten times a second. */
  async pass(milliseconds: number): Promise<void> {
    for (let end = this.time + milliseconds; this.time < end; this.time += 100) await this.watch.look();
  }
}

describe('MemoryWatch', () => {
  test('levels rise at their marks and end 5 % below them', async () => {
    const memory = new Memory();
    for (const used of [690, 701, 660, 651, 650, 699, 851, 801, 799, 640]) {
      memory.used = used;
      await memory.watch.look();
    }
    expect(memory.levels).toEqual([1, 0, 2, 1, 0]);
    expect(memory.lines).toEqual([
      ...['memory.became-high', 'memory.became-normal', 'memory.became-critical'],
      ...['memory.became-high', 'memory.became-normal'],
    ]);
  });

  test('garbage raises no level: it is collected first', async () => {
    const memory = new Memory();
    for (let round = 0; round < 20; round++) {
      memory.garbage = 800;
      await memory.pass(1500);
    }
    expect(memory.levels).toEqual([]);
    expect(memory.collections).toBe(20);
  });

  test('while a level holds, what was freed meanwhile is found', async () => {
    const memory = new Memory();
    memory.used = 750;
    await memory.pass(1000);
    expect(memory.levels).toEqual([1]);
    memory.used = 100;
    memory.garbage = 650; // clients have gone, and nothing was collected
    await memory.pass(11_000);
    expect(memory.levels).toEqual([1, 0]);
  });

  test('collections that find nothing become rare', async () => {
    const memory = new Memory();
    memory.used = 750;
    await memory.pass(600_000);
    expect(memory.collections).toBeLessThan(16);
  });

  test('above the second mark so much is given up as brings it 5 % below, and no more', async () => {
    const memory = new Memory();
    memory.used = 600;
    memory.buffers = 350;
    await memory.pass(3000);
    expect(memory.shed).toEqual([150]);
    expect(memory.levels).toEqual([2, 1]);
    expect(memory.buffers).toBe(200);
  });

  test('where nothing can be given up, rounds become rare', async () => {
    const memory = new Memory();
    memory.used = 900;
    await memory.pass(600_000);
    expect(memory.shed.length).toBeLessThan(20);
  });
});

test('anonymous memory is measured: 64 MiB more are seen', () => {
  const before = anonymousBytes();
  const buffer = Buffer.alloc(64 * mebibyte, 1);
  expect(anonymousBytes() - before).toBeGreaterThan(60 * mebibyte);
  expect(buffer[5]).toBe(1);
});
