/** A worker whose event loop stands still for some seconds is not a reason to restart the node. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@dunlin/testkit';
import { afterAll, expect, test } from 'vitest';
import { Dunlin } from '../command.ts';

const directory = mkdtempSync(join(tmpdir(), 'dunlin-blocked-'));
const order = join(directory, 'block');
const preload = join(directory, 'block.cjs');
/** Longer than the question may take by far. */
const blockedMilliseconds = 8000;

// What an attack does, without one: each worker that finds the file stands still for a while, and says so by removing it.
writeFileSync(
  preload,
  `const { existsSync, unlinkSync } = require('node:fs');
const { isMainThread, workerData } = require('node:worker_threads');
if (!isMainThread && workerData?.index === 0)
  setInterval(() => {
    if (!existsSync(${JSON.stringify(order)})) return;
    unlinkSync(${JSON.stringify(order)});
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${blockedMilliseconds});
  }, 20).unref();
`,
);
afterAll(() => rmSync(directory, { recursive: true }));

test('/healthz answers 200 at once while a worker stands still', { timeout: 60_000 }, async () => {
  const admin = `127.0.0.1:${await freePort()}`;
  const broker = new Dunlin(
    ['start', '--listener', 'tcp://127.0.0.1:0', '--store', 'memory', '--workers', '2', '--admin', admin],
    { NODE_OPTIONS: `--require ${preload}` },
  );
  try {
    await broker.until('"event":"node.started"');
    writeFileSync(order, '');
    const begun = Date.now();
    while (existsSync(order)) await new Promise((resolve) => setImmediate(resolve));
    const answer = await fetch(`http://${admin}/healthz`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ alive: true });
    expect(Date.now() - begun).toBeLessThan(blockedMilliseconds); // it still stands
  } finally {
    broker.child.kill('SIGKILL');
    await broker.finished;
  }
});
