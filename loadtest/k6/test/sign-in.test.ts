import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrokerProcess, startMosquitto } from '@dunlin/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { countOf, reportOf, runLoad } from './load-command.ts';

// A listener that requires authentication.

let broker: BrokerProcess;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'k6-test-passwords-'));
  const file = join(directory, 'passwords');
  execFileSync('mosquitto_passwd', ['-b', '-c', file, 'loader', 'säcret']);
  broker = await startMosquitto({ configuration: ['allow_anonymous false', `password_file ${file}`] });
});

afterAll(async () => {
  await broker.stop();
  await rm(directory, { recursive: true, force: true });
});

function variables(further: Record<string, string>): Record<string, string> {
  return { BROKER_URL: broker.webSocketUrl ?? '', CONNECTIONS: '5', DURATION_SECONDS: '1', ...further };
}

test.each([
  { MQTT_VERSION: '5', code: 135 },
  { MQTT_VERSION: '3.1.1', code: 5 },
])('MQTT $MQTT_VERSION: who is refused is a failed connection, with the reason', async ({ MQTT_VERSION, code }) => {
  const result = await runLoad(['connections', '--quiet'], variables({ MQTT_VERSION }));
  expect(result.code).toBe(99);
  expect(result.errors).toMatch(new RegExp(`refused k6-[0-9a-f]{8}-c\\d with reason code ${code}`));
  const report = reportOf(result, 'connections');
  expect(countOf(report, 'mqtt_connections_failed')).toBe(5);
  expect(countOf(report, 'mqtt_connections_opened')).toBe(0);
});

test.each(['5', '3.1.1'])('MQTT %s: a user name and a password', async (version) => {
  const login = { MQTT_VERSION: version, MQTT_USERNAME: 'loader', MQTT_PASSWORD: 'säcret' };
  const result = await runLoad(['connections', '--quiet'], variables(login));
  expect(result.errors).toBe('');
  expect(result.code).toBe(0);
  expect(countOf(reportOf(result, 'connections'), 'mqtt_connections_opened')).toBe(5);
  expect(JSON.stringify(result.files)).not.toContain('säcret');
});
