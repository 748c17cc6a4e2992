import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { redisCall, startRedis } from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster } from '../cluster/cluster.ts';
import { run, startBroker } from '../command.ts';
import { answerTo, enter, leave, publish } from './entering.ts';

let cluster: Cluster;
let store: string[];
beforeAll(async () => {
  cluster = await Cluster.start({ nodes: 2, arguments: ['--set', 'authentication.methods=redis-token'] });
  store = ['--store', cluster.redis.url];
});
afterAll(async () => {
  await leave();
  await cluster[Symbol.asyncDispose]();
});

/** A new token, by the command. */
async function add(...words: string[]): Promise<{ userName: string; password: string }> {
  const { code, output, errors } = await run(['token', 'add', ...words, ...store]);
  expect(errors).toBe('');
  expect(code).toBe(0);
  const [userName, password] = output.trim().split(' ');
  return { userName, password };
}

const refused = 0x87;

describe('device tokens, on two nodes', () => {
  test('let in with the secret of the same device alone, under its UUID', async () => {
    const [one, two] = await Promise.all([add(), add()]);
    const [a, b] = cluster.nodes;
    expect(await answerTo(a.url, one)).toBe(0);
    expect(await answerTo(b.url, { ...one, userName: one.userName.toUpperCase() })).toBe(0);
    expect(await answerTo(a.url, { ...one, userName: two.userName })).toBe(refused);
    expect(await answerTo(a.url, { ...one, userName: randomUUID() })).toBe(refused);
    expect(await answerTo(a.url, { ...one, userName: 'ann' })).toBe(refused);
    expect(await answerTo(a.url, { ...one, password: '' })).toBe(refused);
    expect(await answerTo(a.url, { ...one, password: null })).toBe(refused);
    expect(await answerTo(a.url, { ...one, version: 4, password: `${one.password}x` })).toBe(5);
    expect(await answerTo(a.url, {})).toBe(refused);
  });

  test('a token that is revoked ends its connections within a second, on every node, and no other', async () => {
    const [token, other] = await Promise.all([add(), add()]);
    const [a, b] = cluster.nodes;
    const wires = [await enter(a.url, { ...token, clientId: 'x' }), await enter(b.url, { ...token, clientId: 'y' })];
    const staying = await enter(b.url, { ...other, clientId: 'z' });
    const ends = wires.map(async (wire) => {
      await wire.expectPacket({ type: 'disconnect', reasonCode: refused }, 15_000);
      return performance.now();
    });
    const { code } = await run(['token', 'revoke', token.userName, ...store]);
    // The token was gone some time before the command had ended.
    const revoked = performance.now();
    expect(code).toBe(0);
    for (const end of await Promise.all(ends)) expect(end - revoked).toBeLessThan(1000);
    expect(await answerTo(a.url, token)).toBe(refused);
    expect(await publish(staying, 'still/here')).not.toBe(refused);
  });

  test('a token may have rules, which hold on every node, and new ones when its client has come back', async () => {
    const [a, b] = cluster.nodes;
    const folder = await mkdtemp(join(tmpdir(), 'dunlin-token-'));
    const file = async (name: string, value: unknown): Promise<string> => {
      const path = join(folder, name);
      await writeFile(path, typeof value === 'string' ? value : JSON.stringify(value));
      return path;
    };
    const own = await file('own.json', { publish: ['own/%u/#'], subscribe: ['to/%u/#'] });
    const [ruled, free] = await Promise.all([add('--rules', own), add()]);
    for (const { url } of [a, b]) {
      const wire = await enter(url, { ...ruled, clientId: 'ruled' });
      expect(await publish(wire, `own/${ruled.userName}/x`)).toBe(0x10);
      expect(await publish(wire, 'else')).toBe(refused);
    }
    expect(await publish(await enter(a.url, { ...free, clientId: 'free' }), 'else')).toBe(0x10);

    const wire = await enter(b.url, { ...ruled, clientId: 'ruled' });
    const wider = await file('wider.json', [{ allow: 'publish', topics: '#' }]);
    expect((await run(['token', 'rules', ruled.userName, wider, ...store])).code).toBe(0);
    await wire.expectPacket({ type: 'disconnect', reasonCode: refused }, 15_000);
    const back = await enter(b.url, { ...ruled, clientId: 'ruled' });
    expect(await publish(back, 'else')).toBe(0x10);
    expect((await run(['token', 'rules', ruled.userName, '--none', ...store])).code).toBe(0);
    await back.expectPacket({ type: 'disconnect', reasonCode: refused }, 15_000);

    const wrong = await file('wrong.json', [{ allow: 'fly', topics: '#' }]);
    const told = await run(['token', 'rules', ruled.userName, wrong, ...store]);
    expect([told.code, told.errors]).toEqual([2, expect.stringContaining('wrong.json: 0.allow: allow: one of')]);
    const torn = await run(['token', 'add', '--rules', await file('torn.json', '{'), ...store]);
    expect([torn.code, torn.errors]).toEqual([2, expect.stringContaining('the rules are no JSON')]);
    const both = await run(['token', 'rules', ruled.userName, own, '--none', ...store]);
    expect([both.code, both.errors]).toEqual([2, expect.stringContaining('neither a file nor --none, or both')]);
    const nobody = await run(['token', 'rules', randomUUID(), own, ...store]);
    expect([nobody.code, nobody.errors]).toEqual([1, expect.stringContaining('no token is stored')]);
    await rm(folder, { recursive: true });
  });

  test('a new secret ends connections with the old one; a plain DEL does, too', async () => {
    const token = await add();
    const [a] = cluster.nodes;
    const old = await enter(a.url, { ...token, clientId: 'old' });
    const renewed = await add(token.userName);
    await old.expectPacket({ type: 'disconnect', reasonCode: refused }, 15_000);
    expect(await answerTo(a.url, token)).toBe(refused);
    const wire = await enter(a.url, { ...renewed, clientId: 'new' });
    await redisCall(cluster.redis.url, ['DEL', `dunlin:token:${token.userName}`]);
    await wire.expectPacket({ type: 'disconnect', reasonCode: refused }, 15_000);
  });
});

describe('the command', () => {
  test('lists what holds, and nothing secret', async () => {
    const token = await add();
    const { output } = await run(['token', 'list', ...store]);
    expect(output).toMatch(new RegExp(`^${token.userName} \\d{4}-\\d\\d-\\d\\dT`, 'm'));
    expect(output).not.toContain(token.password);
    await run(['token', 'revoke', token.userName, ...store]);
    expect((await run(['token', 'list', ...store])).output).not.toContain(token.userName);
    expect(await run(['token', 'revoke', token.userName, ...store])).toMatchObject({
      code: 1,
      errors: expect.stringContaining('no token is stored for'),
    });
  });

  test.each([
    [
      ['token', 'add', 'ann', '--store', 'redis://127.0.0.1:1'],
      /uuid: given "ann", allowed: 32|Redis has not answered/,
    ],
    [['token', 'list'], /no Redis is configured: give --store redis:/],
    [['token', 'add', '--expires', '0', '--store', 'redis://127.0.0.1:1'], /Allowed: a whole number of seconds from 1/],
  ])('%j is refused', async (words, message) => {
    const { code, errors } = await run(words);
    expect(errors).toMatch(message);
    expect(code).not.toBe(0);
  });
});

test('a token that ends by itself ends its connection; while Redis is away, nobody can be told apart, which is no', async () => {
  const redis = await startRedis();
  const { broker, port } = await startBroker([
    ...['--workers', '1', '--set', 'authentication.methods=redis-token', '--set', `deviceTokens.redisUrl=${redis.url}`],
  ]);
  const url = `mqtt://127.0.0.1:${port}`;
  const tokens = ['--set', `deviceTokens.redisUrl=${redis.url}`];
  const { output } = await run(['token', 'add', '--expires', '4', ...tokens]);
  const [userName, password] = output.trim().split(' ');
  const wire = await enter(url, { userName, password });
  await wire.expect('disconnect', 15_000);
  expect(await answerTo(url, { userName, password })).toBe(refused);
  await redis.kill();
  await broker.until('"event":"revocations.read-failed"');
  expect(await answerTo(url, { userName, password })).toBe(0x88);
  expect(await answerTo(url, { userName, password, version: 4 })).toBe(3);
  broker.child.kill('SIGKILL');
  await broker.finished;
  await redis.stop();
});

/** Seen to fail before: the password of a Redis for tokens alone could stand in its URL only, and was read once. */
test('a Redis of their own has its password in a file, which is read again when the connection is made again', async () => {
  const redis = await startRedis({ password: 'first' });
  const directory = await mkdtemp(join(tmpdir(), 'dunlin-tokens-'));
  const passwordFile = join(directory, 'password');
  await writeFile(passwordFile, 'first\n', { mode: 0o600 });
  const { hostname, port: redisPort } = new URL(redis.url);
  const tokens = [
    ...['--set', `deviceTokens.redisUrl=redis://${hostname}:${redisPort}`],
    ...['--set', `deviceTokens.passwordFile=${passwordFile}`],
  ];
  const { broker, port } = await startBroker([
    ...['--workers', '1', '--set', 'authentication.methods=redis-token', ...tokens],
  ]);
  const [userName, password] = (await run(['token', 'add', ...tokens])).output.trim().split(' ');
  const url = `mqtt://127.0.0.1:${port}`;
  expect(await answerTo(url, { userName, password })).toBe(0);
  const withPassword = (word: string) => `redis://:${word}@${hostname}:${redisPort}`;
  await redisCall(withPassword('first'), ['CONFIG', 'SET', 'requirepass', 'second']);
  await writeFile(passwordFile, 'second\n');
  await redisCall(withPassword('second'), ['CLIENT', 'KILL', 'TYPE', 'normal']);
  // Unavailable until it is connected again: a device tries again, too.
  while ((await answerTo(url, { userName, password })) !== 0) await new Promise((resolve) => setTimeout(resolve, 100));
  broker.child.kill();
  await broker.finished;
  await redis.stop();
  await rm(directory, { recursive: true });
});
