import { startNats, startRedis } from '@dunlin/testkit';
import { expect, test } from 'vitest';
import { Dunlin } from '../command.ts';
import { Cluster } from './cluster.ts';

test.each([
  ['Redis', 1],
  ['Redis', 2],
  ['NATS', 1],
  ['NATS', 2],
] as const)('%s is not there at the start, %s workers: said once, waited for, not ready', async (what, workers) => {
  await using cluster = await Cluster.prepare({ nodes: 1, workers });
  const [node] = cluster.nodes;
  const way = cluster.ways(node)[what === 'Redis' ? 'redis' : 'nats'];
  way.cut();
  node.launch();
  await node.says(`127.0.0.1:${way.port}`);
  const event = what === 'Redis' ? 'redis.connect-failed' : 'nats.connect-failed';
  await node.says(event);
  const { code, reasons } = await node.readiness();
  expect(code).toBe(503);
  expect(reasons).toEqual(expect.arrayContaining(['routes', what === 'Redis' ? 'store' : 'backplane']));
  // Nobody gets in before it is ready.
  await expect(node.open()).rejects.toThrow(/ECONNREFUSED/);
  way.heal();
  await node.says('"event":"node.started"');
  expect(node.process.log().filter((line) => line.event === event)).toHaveLength(1);
  expect(await node.readiness()).toEqual({ code: 200, reasons: [] });
  const client = await node.connect({ clientId: 'c', cleanStart: false, sessionExpirySeconds: 60 });
  await client.subscribe('a', 1);
  await (await node.connect({ clientId: 'p' })).publish({ topic: 'a', payload: 'x', qos: 1 });
  expect(await client.receiveTexts(1)).toEqual(['x']);
});

test.each(['redis', 'nats'] as const)('SIGTERM while it waits for %s ends it at once, as asked', async (what) => {
  await using cluster = await Cluster.prepare({ nodes: 1, workers: 2 });
  const [node] = cluster.nodes;
  cluster.ways(node)[what].cut();
  node.launch();
  await node.says(what === 'redis' ? 'Redis is unreachable' : 'NATS cannot be reached');
  const begun = performance.now();
  expect(await node.stop()).toBe(0);
  expect(performance.now() - begun).toBeLessThan(2500);
  expect(node.output).not.toMatch(/"level":"error".*"msg":"the worker cannot start"/);
});

test('wrong passwords: one clear line each, without the password, and still alive', async () => {
  const redis = await startRedis({ password: 'right' });
  const nats = await startNats({ user: 'dunlin', password: 'right' });
  const base = ['start', '--node-id', 'a', '--listener', 'tcp://127.0.0.1:0', '--workers', '2'];
  const natsAt = (password: string) => `nats://dunlin:${password}@127.0.0.1:${nats.port}`;
  const cases: [string, string, RegExp][] = [
    [`redis://default:wrong@127.0.0.1:${redis.port}`, natsAt('right'), /Redis refused the password/],
    [redis.url, natsAt('wrong'), /NATS refuses the credentials/],
  ];
  try {
    for (const [store, backplane, line] of cases) {
      const dunlin = new Dunlin([...base, '--store', store, '--backplane', backplane]);
      await dunlin.until(line.source);
      dunlin.child.kill('SIGTERM');
      const { code, output, errors } = await dunlin.finished;
      expect(code).toBe(0);
      expect(output.split('\n').filter((text) => line.test(text))).toHaveLength(1);
      expect(output + errors).not.toMatch(/wrong@|:right/);
    }
  } finally {
    await Promise.all([redis.stop(), nats.stop()]);
  }
});

test('passwords from files', async () => {
  const redis = await startRedis({ password: 'p@ss:word/1' });
  const nats = await startNats({ user: 'dunlin', password: 'n@ts:word/2' });
  const { mkdtempSync, rmSync, writeFileSync } = await import('node:fs');
  const directory = mkdtempSync('/tmp/dunlin-passwords-');
  writeFileSync(`${directory}/redis`, 'p@ss:word/1\n');
  writeFileSync(`${directory}/nats`, 'n@ts:word/2\n');
  const words = ['start', '--node-id', 'a', '--listener', 'tcp://127.0.0.1:0', '--workers', '1'];
  words.push('--store', `redis://127.0.0.1:${redis.port}`, '--set', `store.passwordFile=${directory}/redis`);
  words.push(
    '--backplane',
    `nats://dunlin@127.0.0.1:${nats.port}`,
    '--set',
    `backplane.passwordFile=${directory}/nats`,
  );
  const dunlin = new Dunlin(words);
  try {
    await dunlin.until('"event":"node.started"');
    dunlin.child.kill('SIGTERM');
    expect((await dunlin.finished).code).toBe(0);
  } finally {
    dunlin.child.kill('SIGKILL');
    await Promise.all([redis.stop(), nats.stop()]);
    rmSync(directory, { recursive: true });
  }
});
