import { readFileSync } from 'node:fs';
import { Conversation } from '@dunlin/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Dunlin, startBroker } from './command.ts';

const mebibyte = 1024 * 1024;
const memoryBytesMax = 400 * mebibyte;
const payload = Buffer.alloc(100_000, 'x');
const deafClients = 16;
/** More than there is memory for. */
const messagesMax = 1000;

let broker: Dunlin;
let url: string;
let adminUrl: string;

/** Windows so wide that only the memory of the node bounds what deaf clients keep. */
beforeAll(async () => {
  const wide = ['inflightBytesMax', 'outputBufferBytesMax', 'queuedBytesMax'].map((key) => `limits.${key}=1000000000`);
  const bounds = [`limits.memoryBytesMax=${memoryBytesMax}`, ...wide].flatMap((bound) => ['--set', bound]);
  const started = await startBroker(['--workers', '1', '--admin', '127.0.0.1:0', ...bounds]);
  broker = started.broker;
  url = `mqtt://127.0.0.1:${started.port}`;
  adminUrl = String(broker.log().find((line) => line.event === 'admin.opened')?.address);
});
afterAll(async () => {
  broker.child.kill();
  await broker.finished;
});

function anonymousBytes(): number {
  const status = readFileSync(`/proc/${broker.child.pid}/status`, 'utf8');
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

async function metric(series: string): Promise<number> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return Number(line?.split(' ').at(-1));
}

async function reasons(): Promise<string[]> {
  const answer = await fetch(`${adminUrl}/readyz`);
  return ((await answer.json()) as { reasons?: string[] }).reasons ?? [];
}

async function client(clientId: string, sessionExpirySeconds = 0): Promise<Conversation> {
  const conversation = await Conversation.open(url);
  await conversation.connect({ clientId, sessionExpirySeconds, cleanStart: false });
  return conversation;
}

test('deaf clients do not take the node past its memory: it refuses, gives up the largest buffers, and recovers', async () => {
  const deaf: Conversation[] = [];
  for (let i = 0; i < deafClients; i++) {
    const reader = await client(`deaf-${i}`, i === 0 ? 3600 : 0);
    await reader.subscribe('t', 1);
    reader.pauseReading();
    deaf.push(reader);
  }
  const healthy = await client('healthy');
  await healthy.subscribe('healthy', 1);
  const publisher = await client('publisher');
  let published = 0;
  let peakBytes = 0;
  const closedFor = 'dunlin_connections_closed_total{listener="tcp://127.0.0.1:0",reason="memory"}';
  while (!broker.output.includes('"event":"memory.shed"') && published < messagesMax) {
    await publisher.publish({ topic: 't', payload, qos: 1 });
    published++;
    peakBytes = Math.max(peakBytes, anonymousBytes());
  }
  const level = () => broker.log().findLast(({ event }) => String(event).startsWith('memory.became-'))?.event;
  expect(broker.log().map(({ event }) => event)).toContain('memory.became-critical');
  while (level() === 'memory.became-critical') await new Promise((resolve) => setTimeout(resolve, 50));
  expect(level()).toBe('memory.became-high');
  expect(await reasons()).toEqual(['memory']);
  // Memory is looked at 40 times a second; on a busy machine a look may come late. All messages would be four times as much.
  expect(peakBytes).toBeLessThan(1.25 * memoryBytesMax);

  const refused = await Conversation.open(url);
  const connack = await refused.introduce({ clientId: 'new' });
  expect(connack.reasonCode).toBe(0x89);
  expect(connack.properties.reasonString).toMatch(/^memory is \d+ % full; from limits.memoryHighPercent \(70\) on/);
  const older = await Conversation.open(url, 4);
  expect((await older.introduce({ clientId: 'older' })).reasonCode).toBe(3);
  await expect(healthy.subscribe('more', 1)).rejects.toThrow('SUBACK grants 151');
  await healthy.publish({ topic: 'other', payload: 'x', qos: 1 });
  expect(await metric(closedFor)).toBeGreaterThan(0);

  await Promise.all(deaf.map((reader) => reader.drop()));
  while ((await reasons()).length > 0) await new Promise((resolve) => setTimeout(resolve, 200));
  expect(broker.log().map(({ event }) => event)).toContain('memory.became-normal');
  await healthy.subscribe('more', 1);
  const again = await client('deaf-0', 3600);
  const received = await again.receive((messages) => messages.length >= published);
  expect(received).toHaveLength(published);
}, 90_000);
