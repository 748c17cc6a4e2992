/** Paho for C over WebSocket: it reads the first MQTT packet of a frame, and the next one of that frame when something else comes. */
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type BrokerProcess, freePort, startDunlin } from '@dunlin/testkit';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ProgramClient } from './program-client.ts';
import { compilePahoC } from './test-programs.ts';

let broker: BrokerProcess;
let program: string;
beforeAll(async () => {
  const webSocketUrl = `ws://127.0.0.1:${await freePort()}`;
  broker = await startDunlin({ store: 'memory', workers: 1, listeners: [webSocketUrl], webSocketUrl });
  program = await compilePahoC();
});
afterAll(async () => {
  await broker.kill();
  await rm(dirname(program), { recursive: true, force: true });
});

test.each([
  [4, 3],
  [5, 3],
  [4, 400],
] as const)('version %i: %i retained messages come at once', async (version, count) => {
  const client = new ProgramClient('Paho for C', version, async () => [program]);
  const payloads = Array.from({ length: count }, (_, number) => String(number).padStart(3, '0'));
  const topic = `${version}/${count}`;
  const publisher = await connectAsync(broker.url);
  await Promise.all(payloads.map((text) => publisher.publishAsync(`${topic}/${text}`, text, { qos: 1, retain: true })));
  await publisher.endAsync();
  const subscriber = await client.subscribe(`${broker.webSocketUrl}/mqtt`, {
    filter: `${topic}/#`,
    qos: 1,
    clientId: 'reader',
  });
  const came: string[] = [];
  while (came.length < count) came.push((await subscriber.next()).payload);
  await subscriber.leave();
  expect(came.sort()).toEqual(payloads);
});
