import { once } from 'node:events';
import { watch } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { subscribePacket } from '@dunlin/testkit';
import { expect, onTestFinished, test } from 'vitest';
import { ClusterCommand, freeBasePort, isAlive, startMilliseconds } from './cluster-command.ts';
import { connectThrough, publishThrough } from './patient-client.ts';

const timeoutMilliseconds = 5 * startMilliseconds;

test('--json: every program killed is back with its port and data, and SIGTERM leaves nothing', {
  timeout: timeoutMilliseconds,
}, async () => {
  const base = await freeBasePort(3);
  await using command = await ClusterCommand.start(['--nodes', '3', '--base-port', String(base), '--json']);
  const places = await command.places();
  expect(places).toMatchObject({
    haproxy: { mqtt: base },
    nats: { port: base + 1 },
    redis: { port: base + 2 },
    nodes: [
      { id: 'a', mqtt: base + 3, admin: base + 4, ws: base + 9 },
      { id: 'b', mqtt: base + 5, admin: base + 6, ws: base + 10 },
      { id: 'c', mqtt: base + 7, admin: base + 8, ws: base + 11 },
    ],
  });
  const subscriber = await connectThrough(places.nodes[0].mqtt, 'subscriber');
  subscriber.send(subscribePacket({ filter: 'after/+', qos: 1 }));
  await subscriber.expect('suback');
  await subscriber.drop();

  const { nodes, nats, redis, haproxy } = places;
  const pids = [...nodes, nats, redis, haproxy].map(({ pid }) => pid);
  const programs = [
    ...nodes.map(({ id, pid }) => ({ key: 'id', value: id, pid })),
    ...Object.entries({ nats, redis, haproxy }).map(([value, { pid }]) => ({ key: 'name', value, pid })),
  ];
  for (const { key, value, pid } of programs) {
    const from = command.lines.length;
    process.kill(pid, 'SIGKILL');
    const line = await command.line((text) => text.startsWith('{"restarted":'), from);
    const { restarted } = JSON.parse(line);
    expect(restarted[key]).toBe(value);
    expect(restarted.pid).not.toBe(pid);
    expect(isAlive(restarted.pid)).toBe(true);
    pids.push(restarted.pid);
    await publishThrough(base, `after/${value}`);
  }

  const again = await connectThrough(base, 'subscriber', true);
  const topics = new Set<string>();
  while (topics.size < programs.length) topics.add((await again.expect('publish')).topic);
  expect([...topics].sort()).toEqual(programs.map(({ value }) => `after/${value}`).sort());
  await again.drop();

  expect(await command.end('SIGTERM')).toBe(0);
  expect(pids.filter(isAlive)).toEqual([]);
  expect(await command.leftovers()).toEqual([places.logs.slice(command.directory.length + 1)]);
  expect((await readdir(places.logs)).sort()).toEqual([
    'a.log',
    'b.log',
    'c.log',
    'haproxy.log',
    'nats.log',
    'redis.log',
  ]);
});

test('without --json: a table, then the logs by program, until SIGINT', { timeout: timeoutMilliseconds }, async () => {
  const base = await freeBasePort(1);
  await using command = await ClusterCommand.start(['--nodes', '1', '--base-port', String(base)]);
  await command.line((line) => /^program +pid +address$/.test(line));
  const row = await command.line((line) => line.includes(`mqtt://127.0.0.1:${base + 3}`));
  const addresses = `mqtt://127.0.0.1:${base + 3}  admin http://127.0.0.1:${base + 4}  ws://127.0.0.1:${base + 5}/mqtt`;
  expect(row).toMatch(new RegExp(`^node a +\\d+  ${addresses}$`));
  const logs = (await command.line((line) => line.startsWith('logs: '))).slice('logs: '.length);
  const pid = Number(row.split(/ +/)[2]);
  process.kill(pid, 'SIGKILL');
  expect(await command.line((line) => line.startsWith('a       | ended'))).toBe('a       | ended (SIGKILL)');
  await command.line((line) => /^a {7}\| \{.*"event":"node.started"/.test(line));
  await command.line((line) => /^a {7}\| restarted, pid \d+$/.test(line));
  // Ctrl-C under npm: two signals at once, of which the second does not end it halfway. (Two of one kind could come as one.)
  expect(await command.end('SIGINT', 'SIGTERM')).toBe(0);
  expect(isAlive(pid)).toBe(false);
  expect(await command.leftovers()).toEqual([basename(logs)]);
});

test('--no-restart: what dies stays dead', { timeout: timeoutMilliseconds }, async () => {
  const base = await freeBasePort(1);
  const args = ['--nodes', '1', '--base-port', String(base), '--json', '--no-restart'];
  await using command = await ClusterCommand.start(args);
  const { nodes, logs } = await command.places();
  process.kill(nodes[0].pid, 'SIGKILL');
  const line = await command.line((text) => text.startsWith('{"ended":'));
  expect(JSON.parse(line)).toEqual({ ended: { ...nodes[0], how: 'SIGKILL' } });
  expect(await command.end('SIGTERM')).toBe(0);
  expect(command.lines).toHaveLength(2);
  expect(logs.startsWith(command.directory)).toBe(true);
});

test('an occupied port is named, and nothing is started', { timeout: timeoutMilliseconds }, async () => {
  const base = await freeBasePort(3);
  const occupant = createServer().listen(base + 5, '127.0.0.1');
  await once(occupant, 'listening');
  await using command = await ClusterCommand.start(['--base-port', String(base), '--json']);
  expect(await command.exitCode()).toBe(1);
  expect(command.errors).toBe(
    `port ${base + 5}, meant for MQTT at node b, is in use; choose other ports with --base-port\n`,
  );
  expect(await command.leftovers()).toEqual([]);
  occupant.close();
});

test.each([
  { variable: 'NATS_SERVER', says: 'nats-server is not installed: go install ' },
  { variable: 'REDIS_SERVER', says: 'redis-server is not installed: apt-get install redis-server' },
  { variable: 'HAPROXY', says: 'haproxy is not installed: apt-get install haproxy' },
])(
  'a missing program is named, with the way to get it: $variable',
  { timeout: timeoutMilliseconds },
  async ({ variable, says }) => {
    await using command = await ClusterCommand.start(['--json'], { [variable]: '/nowhere/at-all' });
    expect(await command.exitCode()).toBe(1);
    expect(command.errors).toContain(says);
    expect(await command.leftovers()).toEqual([]);
  },
);

test('a program that cannot start: its last words, and nothing left of the others', {
  timeout: timeoutMilliseconds,
}, async () => {
  const base = await freeBasePort(1);
  // A haproxy that ends at once.
  const args = ['--nodes', '1', '--base-port', String(base), '--json'];
  await using command = await ClusterCommand.start(args, { HAPROXY: '/bin/false' });
  expect(await command.exitCode()).toBe(1);
  expect(command.errors).toContain('haproxy ended (1) before it was ready');
  expect(command.lines).toEqual([]);
  expect(await command.leftovers()).toEqual([expect.stringMatching(/^dunlin-cluster-logs-/)]);
});

test('SIGTERM during the start leaves nothing', { timeout: timeoutMilliseconds }, async () => {
  const base = await freeBasePort(3);
  const logs = await mkdtemp(join(tmpdir(), 'cluster-test-logs-'));
  onTestFinished(() => rm(logs, { recursive: true, force: true }));
  const watcher = watch(logs);
  await using command = await ClusterCommand.start(['--base-port', String(base), '--logs', logs]);
  // Programs have log files from shortly before their start on.
  await once(watcher, 'change');
  watcher.close();
  expect(await command.end('SIGTERM')).toBe(0);
  expect(command.lines).toEqual([]);
  expect(await command.leftovers()).toEqual([]);
});

test.each([
  { args: ['--nodes', '0'], says: "--nodes must be a whole number from 1 to 26, not '0'" },
  { args: ['--base-port', 'x'], says: '--base-port must be' },
  { args: ['--frob'], says: "Unknown option '--frob'" },
])('a wrong option: $args', { timeout: timeoutMilliseconds }, async ({ args, says }) => {
  await using command = await ClusterCommand.start(args);
  expect(await command.exitCode()).toBe(2);
  expect(command.errors).toContain(says);
});
