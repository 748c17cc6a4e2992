import { randomBytes, scryptSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfiguration } from '@dunlin/config';
import { startNode } from '@dunlin/edge';
import type { ProtocolVersion } from '@dunlin/protocol';
import { type BrokerProcess, Conversation, freePort, startDunlin } from '@dunlin/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';

/** A hash that takes a core a quarter of a second or more, so that guesses wait. */
function dear(password: string): string {
  const salt = randomBytes(16);
  const text = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');
  const hash = scryptSync(password, salt, 32, { N: 2 ** 15, r: 8, p: 4, maxmem: 2 ** 27 });
  return `$scrypt$ln=15,r=8,p=4$${text(salt)}$${text(hash)}`;
}

let directory: string;
let broker: BrokerProcess;
let adminUrl: string;
const opened: Conversation[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-fair-'));
  const cheap = `$7$1$c2FsdHNhbHQ=$${Buffer.alloc(64).toString('base64')}`;
  writeFileSync(join(directory, 'users'), `ann:${dear('right')}\nbob:${cheap}\n`, { mode: 0o600 });
  const adminPort = await freePort();
  adminUrl = `http://127.0.0.1:${adminPort}/metrics`;
  broker = await startDunlin({
    store: 'memory',
    workers: 1,
    set: {
      'admin.address': `127.0.0.1:${adminPort}`,
      'authentication.passwordFile': join(directory, 'users'),
      // Guesses wait as long as the test takes.
      'limits.connectTimeoutSeconds': 600,
      // Guesses at one account would be slowed and banned before.
      'limits.signInFailuresMax': 0,
    },
  });
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((client) => client.drop()));
  await broker.stop();
  rmSync(directory, { recursive: true });
});

async function dial(from: string, version: ProtocolVersion = 5): Promise<Conversation> {
  const client = await Conversation.open(`mqtt://127.0.0.1:${broker.port}?from=${from}`, version);
  opened.push(client);
  return client;
}

/** Connections that guess, from one address; the broker has read all of their CONNECTs when it is resolved. */
async function guess(count: number, from: string): Promise<Conversation[]> {
  const before = await metric('dunlin_packets_received_total{type="connect"}');
  const guesses = await Promise.all(Array.from({ length: count }, () => dial(from)));
  for (const [index, client] of guesses.entries())
    client.sendConnect({ clientId: `guess-${index}`, userName: `user-${index}`, password: 'wrong' });
  while ((await metric('dunlin_packets_received_total{type="connect"}')) < before + count);
  return guesses;
}

/** A counter; 0 as long as it is not there. */
async function metric(sample: string): Promise<number> {
  const text = await (await fetch(adminUrl)).text();
  const line = text.split('\n').find((other) => other.startsWith(`${sample} `));
  return Number(line?.slice(sample.length + 1) ?? 0);
}

const results = (result: string) => metric(`dunlin_authentications_total{result="${result}"}`);

test('a right client from elsewhere is in while hundreds of guesses of one address wait', async () => {
  await guess(300, '127.0.0.2');
  const ann = await dial('127.0.0.3');
  expect((await ann.introduce({ clientId: 'ann', userName: 'ann', password: 'right' })).reasonCode).toBe(0);
  expect(await results('refused')).toBeLessThan(100);
});

test('guesses whose connection is closed at once cost a hash or two, and nobody waits for them', async () => {
  const guesses = await guess(300, '127.0.0.2');
  await Promise.all(guesses.map((client) => client.drop()));
  // From the same address.
  const ann = await dial('127.0.0.2');
  expect((await ann.introduce({ clientId: 'ann', userName: 'ann', password: 'right' })).reasonCode).toBe(0);
  // Others were never asked about: they ended before their CONNECT had its turn.
  expect(await results('gone')).toBeGreaterThan(0);
  expect(await results('refused')).toBeLessThan(100);
});

test('who was in before is in at once, at an address where hundreds guess', async () => {
  const first = await dial('127.0.0.2');
  await first.connect({ clientId: 'ann', userName: 'ann', password: 'right' });
  await guess(300, '127.0.0.2');
  const refused = await results('refused');
  for (let i = 0; i < 20; i++) await (await dial('127.0.0.2')).connect({ userName: 'ann', password: 'right' });
  // Twenty sign-ins, and only a few hashes meanwhile.
  expect((await results('refused')) - refused).toBeLessThan(20);
});

test('an address that has failed too often is told to come later, in the words of each version; others get in', async () => {
  const knock = async (version: 4 | 5) => {
    const client = await dial('127.0.0.2', version);
    const { reasonCode } = await client.introduce({ userName: 'bob', password: 'wrong' });
    return reasonCode;
  };
  // Quick failures, in greater number than the tokens that come meanwhile.
  const answers = new Set<number>();
  while (!answers.has(0x9f)) for (const code of await Promise.all(Array(20).fill(5).map(knock))) answers.add(code);
  expect(answers).toEqual(new Set([0x87, 0x9f]));
  expect(await Promise.all(Array(20).fill(4).map(knock))).toContain(3);
  expect(await results('overloaded')).toBeGreaterThan(1);
  const ann = await dial('127.0.0.3');
  expect((await ann.introduce({ clientId: 'ann', userName: 'ann', password: 'right' })).reasonCode).toBe(0);
});

test('after the end of a worker its clients come back without a hash', async () => {
  // Every line is dear: an unknown user takes as long as one of the lines.
  writeFileSync(join(directory, 'dear'), `ann:${dear('right')}\n`, { mode: 0o600 });
  const flags = Object.entries({
    nodeId: 'test',
    'store.kind': 'memory',
    listeners: 'tcp://127.0.0.1:0',
    'log.level': 'error',
    workers: '1',
    'authentication.passwordFile': join(directory, 'dear'),
  }).map(([path, value]) => ({ flag: '--set', path, value }));
  const node = await startNode(loadConfiguration({ flags }).configuration, { version: '0' });
  try {
    const [address] = node.addresses;
    const url = `mqtt://127.0.0.1:${address.kind === 'tcp' ? address.port : 0}`;
    const enter = async (name: string, password: string) => {
      const client = await Conversation.open(url);
      opened.push(client);
      client.sendConnect({ clientId: name, userName: name, password });
      return client;
    };
    const first = await enter('ann', 'right');
    expect((await first.expect('connack', 15_000)).reasonCode).toBe(0);
    const [thread] = node.pool.threads;
    await thread.terminate();
    while (node.pool.threads[0] === thread || node.pool.listening === 0)
      await new Promise((resolve) => setTimeout(resolve, 20));
    // Both hashes that are made at the same time are under way, and take long.
    const order: string[] = [];
    const guesses = await Promise.all(['eve', 'mallory', 'trudy'].map((name) => enter(name, 'wrong')));
    const answered = guesses.map(async (client) => {
      await client.expect('connack', 15_000);
      order.push('guess');
    });
    const again = await enter('ann', 'right');
    expect((await again.expect('connack', 15_000)).reasonCode).toBe(0);
    order.push('ann');
    await Promise.all(answered);
    expect(order[0]).toBe('ann');
  } finally {
    await node.stop();
  }
});
