import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { MosquittoSub, mosquittoPub } from '../src/clients.ts';
import { startMosquitto } from '../src/mosquitto.ts';
import { connectPacket } from '../src/packets.ts';
import { WireClient } from '../src/wire-client.ts';

test('Mosquitto starts on a free port, serves, and stops', async () => {
  const broker = await startMosquitto();
  onTestFinished(() => broker.kill().then(() => undefined));
  expect(broker.url).toBe(`mqtt://127.0.0.1:${broker.port}`);
  process.kill(broker.pid, 0);
  const client = await WireClient.open(broker.url, 4);
  client.send(connectPacket({ version: 4, clientId: 'a' }));
  await client.expectPacket({ type: 'connack', reasonCode: 0, sessionPresent: false });
  await client.expectNothing();
  expect(await broker.stop()).toBe(0);
  await client.expectClosed();
  expect(() => process.kill(broker.pid, 0)).toThrow();
});

test('a broker that was killed starts again on the same port and data', async () => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'testkit-'));
  onTestFinished(() => rm(dataDirectory, { recursive: true, force: true }));
  const first = await startMosquitto({ dataDirectory });
  await mosquittoPub(first.url, ['-t', 'kept', '-m', 'over the restart', '-r', '-q', '1']);
  expect(await first.stop()).toBe(0);
  const second = await startMosquitto({ dataDirectory, port: first.port });
  onTestFinished(() => second.kill().then(() => undefined));
  expect(second.url).toBe(first.url);
  const subscriber = await MosquittoSub.start(second.url, ['-t', 'kept']);
  onTestFinished(() => subscriber.stop());
  expect(await subscriber.nextLine()).toBe('over the restart');
  expect(await second.kill()).toBe('SIGKILL');
});

test('the command-line clients talk to each other', async () => {
  const broker = await startMosquitto();
  onTestFinished(() => broker.kill().then(() => undefined));
  const subscriber = await MosquittoSub.start(broker.url, ['-t', 'a/#', '-v', '-q', '1']);
  const published = await mosquittoPub(broker.url, ['-t', 'a/b', '-m', 'hello', '-q', '1']);
  expect(published).toMatchObject({ exitCode: 0, stderr: '' });
  expect(await subscriber.nextLine()).toBe('a/b hello');
  await subscriber.stop();
});

test('a configuration that the broker refuses is told with its words', async () => {
  await expect(startMosquitto({ configuration: ['no_such_key true'] })).rejects.toThrow(/no_such_key/);
});
