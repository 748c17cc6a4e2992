/** Calls gathered into transactions: which transaction each is part of, and what it sees. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Batch } from '../src/batch.ts';
import { type Environment, openMain, type Tables } from '../src/environment.ts';

let path: string;
let main: Environment<Tables>;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'dunlin-lmdb-'));
  main = openMain(path, 'memory');
});
afterEach(async () => {
  await main.root.close();
  rmSync(path, { recursive: true, force: true });
});

const name = (text: string): Buffer => Buffer.from(text);

describe.each([
  ['immediate', true],
  ['deferred', false],
] as const)('%s: a call that is made while a transaction runs', (_kind, immediate) => {
  /** Each transaction says when its calls begin and when they are through. */
  function batch(steps: string[]): Batch {
    return new Batch(main.root, immediate, (calls) => {
      steps.push('begin');
      calls();
      steps.push('end');
    });
  }

  /** Seen to fail, deferred, with the look at `running` taken out of Batch.schedule. */
  it('is run in the next one', async () => {
    const steps: string[] = [];
    const calls = batch(steps);
    const inner: Promise<string>[] = [];
    const outer = calls.call(() => {
      steps.push('outer');
      inner.push(
        calls.call(() => {
          steps.push('inner');
          return 'answered';
        }),
      );
      steps.push('outer goes on');
    });
    await outer;
    expect(await Promise.all(inner)).toEqual(['answered']);
    expect(steps).toEqual(['begin', 'outer', 'outer goes on', 'end', 'begin', 'inner', 'end']);
    await calls.settled();
    expect(calls.busy).toBe(false);
  });

  it('is kept when that transaction is aborted', async () => {
    const calls = batch([]);
    const inner: Promise<unknown>[] = [];
    const outer = calls.call(() => {
      void main.tables.meta.put(name('outer'), Buffer.of(1));
      inner.push(calls.call(() => void main.tables.meta.put(name('inner'), Buffer.of(2))));
      throw new Error('the transaction cannot go on');
    });
    await expect(outer).rejects.toMatchObject({ code: 'unavailable' });
    await Promise.all(inner);
    main.root.resetReadTxn();
    expect(main.tables.meta.get(name('outer'))).toBeUndefined();
    expect(main.tables.meta.get(name('inner'))).toEqual(Buffer.of(2));
  });
});

/** Seen to fail with no end to the time of a transaction: the thread then does nothing else until all calls are through. */
it.each([
  ['immediate', true],
  ['deferred', false],
] as const)('%s: many calls leave time for others between them, and keep their order', async (_kind, immediate) => {
  const transactions: number[][] = [];
  const calls = new Batch(main.root, immediate, (run) => {
    transactions.push([]);
    run();
  });
  let turns = 0;
  const work = (index: number) => (): void => {
    const until = performance.now() + 2;
    while (performance.now() < until);
    transactions.at(-1)?.push(index);
  };
  const other = setInterval(() => turns++, 1);
  await Promise.all(Array.from({ length: 64 }, (_, index) => calls.call(work(index))));
  clearInterval(other);
  expect(transactions.flat()).toEqual(Array.from({ length: 64 }, (_, index) => index));
  expect(transactions.length).toBeGreaterThan(3);
  expect(turns).toBeGreaterThan(2);
});
