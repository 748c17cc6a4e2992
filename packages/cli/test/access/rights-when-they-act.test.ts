/** Wills and delayed messages of a node that is killed: the rules decide that hold when they are published, wherever that is. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Conversation } from '@dunlin/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Cluster } from '../cluster/cluster.ts';
import { run, startBroker } from '../command.ts';

const timeout = 60_000;
const all = "- { allow: all, user: [ann, bob, watcher], topics: '#' }\n";
const withoutAnn = `- { deny: publish, user: ann, topics: '#' }\n${all}`;

let directory: string;
let rules: string;
let words: string[];
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-rights-'));
  const users = join(directory, 'users');
  await run(['passwd', '-c', '-b', users, 'ann', 'ann']);
  for (const name of ['bob', 'watcher']) await run(['passwd', '-b', users, name, name]);
  rules = join(directory, 'rules.yaml');
  writeFileSync(rules, all);
  words = ['--password-file', users, '--rules-file', rules];
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Leaves a will and a delayed message. */
async function leaveThings(url: string, name: string, seconds: number): Promise<Conversation> {
  const wire = await Conversation.open(url);
  const will = { topic: `will/${name}`, payload: Buffer.from('x'), qos: 1, retain: false, properties: {} } as const;
  await wire.connect({ clientId: name, userName: name, password: name, will });
  await wire.publish({ topic: `$delayed/${seconds}/later/${name}`, payload: 'x', qos: 1 });
  return wire;
}

const watching = { clientId: 'watcher', userName: 'watcher', password: 'watcher', sessionExpirySeconds: 3600 };

async function topicsOf(watcher: Conversation): Promise<string[]> {
  const received = await watcher.receive(({ length }) => length === 2);
  return received.map(({ topic }) => topic).sort();
}

test('another node with Redis publishes them, as its rules are then', { timeout }, async () => {
  await using cluster = await Cluster.start({ nodes: 2, arguments: words });
  const [a, b] = cluster.nodes;
  const watcher = await b.connect(watching);
  await watcher.subscribe('#', 1);
  const seconds = 8;
  const wires = [await leaveThings(a.url, 'ann', seconds), await leaveThings(a.url, 'bob', seconds)];
  writeFileSync(rules, withoutAnn);
  for (const node of [a, b]) node.process.child.kill('SIGHUP');
  for (const node of [a, b]) await node.says('"event":"access.reloaded"');
  await a.kill();
  expect(await topicsOf(watcher)).toEqual(['later/bob', 'will/bob']);
  for (const event of ['will.denied', 'delayed.denied']) {
    await b.says(`"event":"${event}"`);
    expect(b.lines(event)).toMatchObject([{ client: 'ann' }]);
  }
  await Promise.all(wires.map((wire) => wire.drop()));
});

test('a node with LMDB publishes them after its restart, as its rules are then', { timeout }, async () => {
  const store = ['--store', 'lmdb', '--data', join(directory, 'store'), '--workers', '2'];
  const before = await startBroker([...words, ...store]);
  const url = `mqtt://127.0.0.1:${before.port}`;
  const first = await Conversation.open(url);
  await first.connect(watching);
  await first.subscribe('#', 1);
  const wires = [await leaveThings(url, 'ann', 1), await leaveThings(url, 'bob', 1), first];
  before.broker.child.kill('SIGKILL');
  await before.broker.finished;
  writeFileSync(rules, withoutAnn);
  const after = await startBroker([...words, ...store]);
  try {
    const watcher = await Conversation.open(`mqtt://127.0.0.1:${after.port}`);
    await watcher.connect({ ...watching, cleanStart: false });
    expect(await topicsOf(watcher)).toEqual(['later/bob', 'will/bob']);
    await after.broker.until('"event":"will.denied"');
    await after.broker.until('"event":"delayed.denied"');
    await Promise.all([...wires, watcher].map((wire) => wire.drop()));
  } finally {
    after.broker.child.kill('SIGKILL');
    await after.broker.finished;
  }
});
