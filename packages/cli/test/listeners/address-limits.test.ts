import { pbkdf2Sync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrokerProcess, Conversation, freePort, startDunlin } from '@dunlin/testkit';
import { afterEach, expect, test } from 'vitest';

let broker: BrokerProcess | undefined;
let adminUrl = '';
let directory: string | undefined;
const opened: { drop(): unknown }[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((client) => client.drop()));
  await broker?.stop();
  if (directory !== undefined) rmSync(directory, { recursive: true });
  directory = undefined;
});

async function start(
  set: Record<string, string | number | boolean>,
  listeners: string[] = [],
  workers = 2,
): Promise<void> {
  const adminPort = await freePort();
  adminUrl = `http://127.0.0.1:${adminPort}/metrics`;
  broker = await startDunlin({
    store: 'memory',
    workers,
    listeners,
    set: { 'admin.address': `127.0.0.1:${adminPort}`, ...set },
  });
}

/** Connects and signs in; false: the connection was closed. */
async function enters(from: string, introduction = {}): Promise<boolean> {
  const client = await Conversation.open(`mqtt://127.0.0.1:${broker?.port}?from=${from}`);
  opened.push(client);
  client.sendConnect({ clientId: '', ...introduction });
  return client.expect('connack', 15_000).then(
    () => true,
    () => false,
  );
}

async function closed(reason: string): Promise<number> {
  const text = await (await fetch(adminUrl)).text();
  return [...text.matchAll(/^dunlin_connections_closed_total\{.*reason="([^"]+)"\} (\d+)$/gm)]
    .filter((match) => match[1] === reason)
    .reduce((sum, match) => sum + Number(match[2]), 0);
}

test('an address has so many connections to all workers together; who leaves makes room; others are not concerned', async () => {
  await start({ 'limits.connectionsPerAddressMax': 5 });
  for (let i = 0; i < 5; i++) expect(await enters('127.0.0.2')).toBe(true);
  for (let i = 0; i < 4; i++) expect(await enters('127.0.0.2')).toBe(false);
  expect(await enters('127.0.0.3')).toBe(true);
  expect(await closed('connections-per-address')).toBe(4);
  await opened[0].drop();
  while (!(await enters('127.0.0.2')));
});

test('an address opens so many at once; others are not concerned', async () => {
  await start({ 'limits.connectRatePerAddress': 1, 'limits.connectBurstPerAddress': 5 });
  const answers = await Promise.all(Array.from({ length: 60 }, () => enters('127.0.0.2')));
  const inside = answers.filter((isIn) => isIn).length;
  expect(inside).toBeGreaterThanOrEqual(5);
  expect(inside).toBeLessThan(60);
  expect(await enters('127.0.0.3')).toBe(true);
  expect(await closed('connect-rate')).toBe(60 - inside);
});

test('behind a load balancer it is the address of the PROXY header that counts', async () => {
  const port = await freePort();
  await start({ 'limits.connectionsPerAddressMax': 2 }, [
    `tcp://127.0.0.1:${port}?proxy=required&trustedProxies=127.0.0.0/8`,
  ]);
  const through = async (address: string): Promise<boolean> => {
    const socket: Socket = connect(port, '127.0.0.1');
    opened.push({ drop: () => socket.destroy() });
    socket.on('error', () => undefined);
    socket.write(`PROXY TCP4 ${address} 127.0.0.1 5000 1883\r\n`);
    socket.write(Buffer.from([0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, 0]));
    return new Promise((resolve) => {
      socket.once('data', () => resolve(true));
      socket.once('close', () => resolve(false));
    });
  };
  expect([await through('192.0.2.1'), await through('192.0.2.1'), await through('192.0.2.1')]).toEqual([
    true,
    true,
    false,
  ]);
  expect([await through('192.0.2.2'), await through('192.0.2.2')]).toEqual([true, true]);
});

test('the last connections of a listener are kept for addresses that signed in before', async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-reserve-'));
  const users = join(directory, 'users');
  // "pass", in one round of PBKDF2.
  writeFileSync(
    users,
    `ann:$7$1$c2FsdHNhbHQ=$${pbkdf2Sync('pass', 'saltsalt', 1, 64, 'sha512').toString('base64')}\n`,
    { mode: 0o600 },
  );
  await start({ 'limits.connectionsMax': 40, 'authentication.passwordFile': users }, [], 1);
  expect(await enters('127.0.0.3', { userName: 'ann', password: 'pass' })).toBe(true);
  const strangers: Socket[] = [];
  const isClosed = async (): Promise<boolean> => {
    const socket = connect({ port: broker?.port ?? 0, host: '127.0.0.1', localAddress: '127.0.0.2' });
    opened.push({ drop: () => socket.destroy() });
    strangers.push(socket);
    socket.on('error', () => undefined);
    return new Promise((resolve) => {
      socket.once('close', () => resolve(true));
      socket.once('connect', async () => {
        // A later connection was decided about after this one.
        await fetch(adminUrl);
        resolve(socket.destroyed);
      });
    });
  };
  while (!(await isClosed()));
  expect(await enters('127.0.0.3', { userName: 'ann', password: 'pass' })).toBe(true);
  expect(await enters('127.0.0.2', { userName: 'ann', password: 'pass' })).toBe(false);
});
