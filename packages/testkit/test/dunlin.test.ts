import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Packet } from '@dunlin/protocol';
import { expect, onTestFinished, test } from 'vitest';
import { dunlinArguments, startDunlin } from '../src/dunlin.ts';
import { connectPacket } from '../src/packets.ts';
import { WireClient } from '../src/wire-client.ts';

test('options become flags', () => {
  expect(dunlinArguments({}, 1883)).toEqual(['start', '--listener', 'tcp://127.0.0.1:1883']);
  expect(
    dunlinArguments(
      {
        listeners: ['unix:/tmp/dunlin'],
        store: 'lmdb',
        dataDirectory: '/tmp/data',
        workers: 2,
        configurationFile: 'dunlin.yaml',
        set: { 'limits.receiveMaximum': 10 },
        logLevel: 'debug',
      },
      1884,
    ),
  ).toEqual([
    ...['start', '--listener', 'tcp://127.0.0.1:1884', '--listener', 'unix:/tmp/dunlin', '--store', 'lmdb'],
    ...['--data', '/tmp/data', '--workers', '2', '--config', 'dunlin.yaml', '--set', 'limits.receiveMaximum=10'],
    ...['--log-level', 'debug'],
  ]);
});

/** A CONNECT of MQTT 3.1.1 with clean session 0. */
function connectKeeping(clientId: string): Packet {
  return connectPacket({ version: 4, cleanStart: false, clientId });
}

test('a node starts, is killed, and starts again on the same port and data', async () => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'dunlin-'));
  onTestFinished(() => rm(dataDirectory, { recursive: true, force: true }));
  const options = { store: 'lmdb', dataDirectory, workers: 1 } as const;
  const first = await startDunlin(options);
  onTestFinished(() => first.kill().then(() => undefined));
  const before = await WireClient.open(first.url, 4);
  before.send(connectKeeping('one'));
  await before.expectPacket({ type: 'connack', reasonCode: 0, sessionPresent: false });
  await before.expectNothing();
  expect(await first.kill()).toBe('SIGKILL');
  await before.expectClosed();
  const second = await startDunlin({ ...options, port: first.port });
  onTestFinished(() => second.kill().then(() => undefined));
  expect(second.url).toBe(first.url);
  const after = await WireClient.open(second.url, 4);
  after.send(connectKeeping('one'));
  await after.expectPacket({ type: 'connack', reasonCode: 0, sessionPresent: true });
  expect(await second.stop()).toBe(0);
  await after.expectClosed();
});
