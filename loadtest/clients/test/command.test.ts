import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { drivers, languages, versionOf } from '../src/drivers.ts';
import { knownFaults } from '../src/known-faults.ts';

const main = join(import.meta.dirname, '..', 'src', 'main.ts');

/** Runs the command to its end. */
async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    return {
      code: 0,
      ...(await promisify(execFile)(process.execPath, ['--conditions=source', main, ...args])),
    };
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string };
  }
}

describe('npm run clients', () => {
  test('--list names each library with its version', async () => {
    const { stdout } = await run('--list');
    expect(stdout.trimEnd().split('\n')).toHaveLength(drivers.length);
    expect(stdout).toMatch(/^paho-py +python +PyPI paho-mqtt 2\.1\.0 /m);
  });

  test('--list --only takes names and languages', async () => {
    const { stdout } = await run('--list', '--only', 'rust,mqtt.js');
    expect(stdout.trimEnd().split('\n')).toHaveLength(3);
    expect(stdout).toMatch(/^rumqttc .*\nrumqttc5 .*\nmqtt\.js /);
  });

  test.each([
    ['--nodes', '2', "--nodes must be 1 or 3, not '2'"],
    ['--only', 'cobol', "not 'cobol'"],
    ['--onyl', 'x', '--onyl'],
  ])('%s %s is refused, with what is allowed', async (option, value, message) => {
    const { code, stderr } = await run(option, value);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).toContain('npm run clients -- [options]');
  });

  test('at least twelve libraries of six languages, each at a version that is pinned', () => {
    expect(new Set(drivers.map(({ library }) => library)).size).toBeGreaterThanOrEqual(12);
    expect(new Set(drivers.map(({ language }) => language))).toEqual(new Set(languages));
    for (const driver of drivers) if (driver.language !== 'c') expect(versionOf(driver)).toMatch(/^\d+\.\d+/);
  });

  test('what is known is known of a driver', () => {
    const names = drivers.map(({ name }) => name);
    expect(knownFaults.filter(({ driver }) => !names.includes(driver))).toEqual([]);
  });
});
