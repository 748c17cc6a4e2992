import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { CrashRun } from './crash-run.ts';

// The promises P1 to P4 through SIGKILL. A longer search: CRASH_KILLS=200, or CRASH_SECONDS=600; another one: CRASH_SEED=2.

const seed = Number(process.env.CRASH_SEED ?? 1);
const kills = Number(process.env.CRASH_KILLS ?? 20);
const seconds = process.env.CRASH_SECONDS === undefined ? null : Number(process.env.CRASH_SECONDS);
const timeoutMilliseconds = 120_000 + (seconds ?? kills * 3) * 1000;

test.each([
  { version: 5, workers: 1 },
  { version: 5, workers: 4 },
  { version: 4, workers: 1 },
  { version: 4, workers: 4 },
] as const)(
  'nothing acknowledged is lost, QoS 2 comes once and in order: level $version, $workers workers',
  { timeout: timeoutMilliseconds },
  async ({ version, workers }) => {
    const dataDirectory = await mkdtemp(join(tmpdir(), 'dunlin-crash-'));
    onTestFinished(() => rm(dataDirectory, { recursive: true, force: true }));
    const result = await new CrashRun({ version, workers, dataDirectory, seed, kills, seconds }).run();
    const counted = `${result.sent} sent (${result.resent} again), ${result.lost} lost, ${result.duplicates} duplicates at QoS 2, ${result.disordered} out of order, ${result.repeated} repeated at QoS 1`;
    process.stdout.write(
      `crash: level ${version}, ${workers} workers, seed ${seed}, ${result.kills} kills: ${counted}\n`,
    );
    expect(result.faults).toEqual([]);
    expect(result.examples).toEqual([]);
    expect(result).toMatchObject({ lost: 0, duplicates: 0, disordered: 0 });
    expect(result.sent).toBeGreaterThan(result.kills * 20);
  },
);
