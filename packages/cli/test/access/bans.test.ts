/** `dunlin ban` on a node with an embedded store, and on two nodes of a cluster. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePacket } from '@dunlin/protocol';
import { connectPacket, TestAuthority, withDeadline } from '@dunlin/testkit';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { Cluster } from '../cluster/cluster.ts';
import { Dunlin, run } from '../command.ts';
import { answerTo, enter, knock, leave } from './entering.ts';

const banned = 0x8a;
const administrative = 0x98;
const timeout = 60_000;

let broker: Dunlin | null = null;
let directory = '';
afterEach(async () => {
  await leave();
  broker?.child.kill('SIGKILL');
  await broker?.finished;
  broker = null;
  if (directory !== '') rmSync(directory, { recursive: true });
  directory = '';
});

interface Node {
  /** Listeners, in the order of the configuration. */
  urls: string[];
  data: string[];
}

async function start(
  listeners: readonly unknown[] = [{ url: 'tcp://127.0.0.1:0' }],
  words: string[] = [],
): Promise<Node> {
  directory = directory === '' ? mkdtempSync(join(tmpdir(), 'dunlin-bans-')) : directory;
  const file = join(directory, 'dunlin.yaml');
  writeFileSync(file, JSON.stringify({ listeners }));
  const data = ['--store', 'lmdb', '--data', join(directory, 'data')];
  broker = new Dunlin(['start', '--config', file, ...data, '--workers', '2', ...words]);
  await broker.until('"event":"node.started"');
  const started = broker.log().find(({ event }) => event === 'node.started') as { listeners: string[] };
  return { urls: started.listeners.map((url) => url.replace(/^tcp:/, 'mqtt:')), data };
}

/** Waits until a client is answered so; it tries again, as clients do. */
async function untilAnswered(url: string, clientId: string, code: number): Promise<void> {
  while ((await answerTo(url, { clientId })) !== code);
}

/** Asks as a client and reads until the end: true when nothing came but the end. */
async function closesAtOnce(port: number, ...chunks: Uint8Array[]): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined); // a reset is an end as well
  let bytes = 0;
  socket.on('data', (chunk) => {
    bytes += chunk.length;
    socket.destroy();
  });
  for (const chunk of chunks) socket.write(chunk);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await withDeadline(closed, () => 'neither an answer nor an end');
  return bytes === 0;
}

describe('a node with an embedded store', () => {
  test('is told by the command, ends the connection, refuses others, and knows it after a restart', {
    timeout,
  }, async () => {
    const { urls, data } = await start();
    const url = urls[0];
    const hit = await enter(url, { clientId: 'thief' });
    const spared = await enter(url, { clientId: 'other' });
    const words = ['--client-id', 'thief', '--reason', 'stolen', '--for', '1h', '--by', 'ann'];
    const added = await run(['ban', 'add', ...words, ...data]);
    expect(added).toMatchObject({ code: 0, errors: '' });
    expect(added.output).toMatch(/^CLIENT +USER +ADDRESS +ENDS +BY +REASON\nthief +\* +\* +20\S+Z +ann +stolen\n$/);
    const { reasonCode, properties } = await hit.expect('disconnect');
    expect(reasonCode).toBe(administrative);
    expect(properties.reasonString).toMatch(/^banned until 20\S+Z: stolen$/);
    await hit.expectClosed();
    await untilAnswered(url, 'thief', banned);
    expect(await answerTo(url, { clientId: 'thief', version: 4 })).toBe(5);
    spared.send({ type: 'pingreq' });
    await spared.expectPacket({ type: 'pingresp' });
    const log = broker?.log() ?? [];
    expect(log.find(({ event }) => event === 'ban.added')).toMatchObject({
      client: 'thief',
      by: 'ann',
      reason: 'stolen',
    });
    expect(log.filter(({ event }) => event === 'client.banned')).toHaveLength(1);
    expect(statSync(join(directory, 'data/control.sock')).mode & 0o777).toBe(0o600);
    // Killed: its socket is still there.
    broker?.child.kill('SIGKILL');
    await broker?.finished;
    const away = await run(['ban', 'list', ...data]);
    expect(away.code).toBe(3);
    expect(away.errors).toContain('no node can be asked at');
    const again = await start();
    expect((await knock(again.urls[0], { clientId: 'thief' })).connack.reasonCode).toBe(banned);
    const listed = await run(['ban', 'list', '--json', ...data]);
    expect(listed).toMatchObject({ code: 0, errors: '' });
    expect(JSON.parse(listed.output)).toMatchObject({ clientId: 'thief', userName: null, address: null, by: 'ann' });
    expect(await run(['ban', 'remove', '--client-id', 'thief', ...data])).toMatchObject({ code: 0, output: '' });
    await untilAnswered(again.urls[0], 'thief', 0);
    const gone = await run(['ban', 'remove', '--client-id', 'thief', ...data]);
    expect(gone).toMatchObject({ code: 1, errors: expect.stringContaining('there is no such ban') });
  });

  test("closes connections from a banned address before TLS and before CONNECT; behind a proxy it is the client's", {
    timeout,
  }, async () => {
    const authority = await TestAuthority.make();
    try {
      const { cert, key } = await authority.issue('server');
      const proxied = { url: 'tcp://127.0.0.1:0', proxy: 'required', trustedProxies: ['127.0.0.1'] };
      const { urls, data } = await start([
        { url: 'tcp://127.0.0.1:0' },
        { url: 'tls://127.0.0.1:0', cert, key, name: 'tls' },
        proxied,
      ]);
      const [tcp, tls, proxy] = urls.map((url) => Number(new URL(url).port));
      const connectBytes = encodePacket(connectPacket({ version: 4, clientId: 'x' }), 4);
      const from = (address: string): Buffer => Buffer.from(`PROXY TCP4 ${address} 192.0.2.1 51034 1883\r\n`);
      expect(await closesAtOnce(proxy, from('203.0.113.7'), connectBytes)).toBe(false);
      expect(await run(['ban', 'add', '--address', '203.0.113.9/24', ...data])).toMatchObject({ code: 0, errors: '' });
      while (!(await closesAtOnce(proxy, from('203.0.113.7'), connectBytes)));
      expect(await closesAtOnce(proxy, from('203.0.114.7'), connectBytes)).toBe(false);
      expect(await closesAtOnce(tcp, connectBytes)).toBe(false);
      await run(['ban', 'add', '--address', '127.0.0.1', ...data]);
      while (!(await closesAtOnce(tcp, connectBytes)));
      // No alert of TLS comes: not even the first bytes of a handshake are read.
      expect(await closesAtOnce(tls, Buffer.from('this is no TLS'))).toBe(true);
      const reasons = broker
        ?.log()
        .filter(({ event, listener }) => event === 'connection.refused' && listener === 'tls');
      expect(reasons?.[0]?.reason).toMatch(/^banned \(address 127\.0\.0\.1; by /);
      expect((await run(['ban', 'list', ...data])).output).toMatch(
        /\* +\* +203\.0\.113\.0\/24 +never .*\n.*127\.0\.0\.1 /,
      );
    } finally {
      await authority.remove();
    }
  });
});

test('a device that guesses is banned on all workers, its user name elsewhere is not; the command lets it in again', {
  timeout,
}, async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-bans-'));
  const users = join(directory, 'users');
  await run(['passwd', '-c', '-b', users, 'u', 'right']);
  const { urls, data } = await start(undefined, [
    ...['--password-file', users, '--set', 'limits.signInFailuresMax=5'],
    ...['--set', 'limits.connectTimeoutSeconds=60'],
  ]);
  const [url] = urls;
  const wrong = { clientId: 'old', userName: 'u', password: 'old' };
  const answers = await Promise.all(Array.from({ length: 8 }, () => answerTo(url, wrong)));
  // Those that come late find the ban.
  expect(answers).toContain(0x87);
  expect(answers.filter((code) => code !== 0x87 && code !== banned)).toEqual([]);
  const right = { ...wrong, password: 'right' };
  while ((await answerTo(url, right)) !== banned);
  expect(await answerTo(url, { ...right, clientId: 'new' })).toBe(0);
  expect((await run(['ban', 'list', ...data])).output).toMatch(
    /\nold +u +127\.0\.0\.1 +20\S+Z +dunlin +too many failed sign-ins\n/,
  );
  const names = ['--client-id', 'old', '--user', 'u', '--address', '127.0.0.1'];
  expect(await run(['ban', 'remove', ...names, ...data])).toMatchObject({ code: 0, errors: '' });
  while ((await answerTo(url, right)) !== 0);
  expect(broker?.log().filter(({ event }) => event === 'client.ban-made').length).toBeGreaterThan(0);
});

describe('what is not allowed is refused with what is', () => {
  const cases: [words: string[], code: number, errors: string][] = [
    [['add'], 2, 'given no name, allowed: --client-id, --user, --address'],
    [['add', '--user', 'u', '--for', '3'], 2, 'such as 90s, 15m, 12h or 7d'],
    [['add', '--user', 'u', '--until', '2001-01-01'], 2, 'Allowed: a time in the future'],
    [['add', '--user', 'u', '--for', '3s', '--until', '2031-01-01'], 2, 'given --for and --until'],
    [['list', '--store', 'memory'], 2, 'store.kind is memory'],
    [['list'], 3, 'there is no such socket; a node with this store.path must be running'],
  ];
  test.each(cases)('dunlin ban %j', async (words, code, errors) => {
    const data = words.includes('--store') ? [] : ['--store', 'lmdb', '--data', join(tmpdir(), 'no-such-node')];
    const finished = await run(['ban', ...words, ...data]);
    expect(finished).toMatchObject({ code, output: '' });
    expect(finished.errors).toContain(errors);
  });
});

describe('two nodes of a cluster', () => {
  let cluster: Cluster | null = null;
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
  });

  test('both know a ban within a second, one that starts before it accepts, and while Redis is away', {
    timeout: 120_000,
  }, async () => {
    cluster = await Cluster.start({ nodes: 2, workers: 2 });
    const [a, b] = cluster.nodes;
    const store = ['--store', cluster.redis.url];
    const wires = [
      await enter(a.url, { clientId: 'x', userName: 'u' }),
      await enter(b.url, { clientId: 'y', userName: 'u' }),
    ];
    const staying = await enter(b.url, { clientId: 'z', userName: 'v' });
    const ends = wires.map(async (wire) => {
      await wire.expectPacket({ type: 'disconnect', reasonCode: administrative }, 15_000);
      return performance.now();
    });
    expect(await run(['ban', 'add', '--user', 'u', '--reason', '', ...store])).toMatchObject({ code: 0, errors: '' });
    // The ban was stored some time before the command had ended.
    const stored = performance.now();
    for (const end of await Promise.all(ends)) expect(end - stored).toBeLessThan(1000);
    staying.send({ type: 'pingreq' });
    await staying.expectPacket({ type: 'pingresp' });
    const refused = await run(['ban', 'add', '--address', '300.1.1.1', ...store]);
    expect(refused).toMatchObject({
      code: 2,
      errors: expect.stringContaining('given "300.1.1.1", allowed: an address'),
    });

    await b.stop();
    await b.start();
    expect(await answerTo(b.url, { userName: 'u' })).toBe(banned);
    await cluster.redis.kill();
    await a.says('"event":"node.became-unready","reasons":"store unavailable');
    expect(await answerTo(a.url, { userName: 'u' })).toBe(banned);
    expect(await answerTo(a.url, { userName: 'v' })).toBe(0);
  });

  test('a node with --admin is asked: its log and its audit have who banned and who let in again', {
    timeout: 120_000,
  }, async () => {
    directory = mkdtempSync(join(tmpdir(), 'dunlin-bans-'));
    const keyFile = join(directory, 'key');
    const auditFile = join(directory, 'audit');
    writeFileSync(keyFile, `${'k'.repeat(43)}\n`, { mode: 0o600 });
    const words = ['--set', `admin.keyFile=${keyFile}`, '--set', `audit.file=${auditFile}`];
    await using asked = await Cluster.start({ nodes: 1, workers: 2, arguments: words });
    const [node] = asked.nodes;
    const hit = await enter(node.url, { clientId: 'x', userName: 'u' });
    const door = ['--admin', `http://127.0.0.1:${node.adminPort}`, '--key-file', keyFile];
    expect(await run(['ban', 'add', '--user', 'u', '--by', 'ann', ...door])).toMatchObject({ code: 0, errors: '' });
    await hit.expectPacket({ type: 'disconnect', reasonCode: administrative });
    expect((await run(['ban', 'list', ...door])).output).toMatch(/\n\* +u +\* +never +ann/);
    const removing = ['ban', 'remove', '--user', 'u', '--by', 'bob'];
    expect(await run([...removing, ...door])).toMatchObject({ code: 0, errors: '' });
    expect(node.lines('ban.added')).toMatchObject([{ user: 'u', by: 'ann' }]);
    expect(node.lines('ban.removed')).toMatchObject([{ user: 'u', by: 'bob' }]);
    while ((await answerTo(node.url, { userName: 'u' })) !== 0);
    await node.stop();
    const lines = readFileSync(auditFile, 'utf8').trimEnd().split('\n');
    const audit = lines.map((line) => JSON.parse(line) as { event: string; by?: string });
    const said = audit.filter(({ event }) => event.startsWith('ban.')).map(({ event, by }) => `${event} by ${by}`);
    // The worker that watches Redis may have recorded both as well, and does not know who removed it.
    expect(said).toEqual(expect.arrayContaining(['ban.added by ann', 'ban.removed by bob']));
  });

  test('a configuration with Redis and no address of a node does not write to Redis by itself', async () => {
    directory = mkdtempSync(join(tmpdir(), 'dunlin-bans-'));
    const file = join(directory, 'dunlin.yaml');
    writeFileSync(file, JSON.stringify({ store: { kind: 'redis', url: 'redis://127.0.0.1:1' } }));
    const finished = await run(['ban', 'add', '--user', 'u', '--config', file]);
    expect(finished).toMatchObject({ code: 2, output: '' });
    expect(finished.errors).toContain('no node is known: give --admin http://HOST:PORT and --key-file FILE');
  });
});
