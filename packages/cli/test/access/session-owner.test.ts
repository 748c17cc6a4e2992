import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectPacket, WireClient } from '@dunlin/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Cluster } from '../cluster/cluster.ts';
import { run, startBroker } from '../command.ts';
import { enter, leave, publish, subscribe } from './entering.ts';

let directory: string;
let words: string[];
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-owner-'));
  const users = join(directory, 'users');
  await run(['passwd', '-c', '-b', users, 'alice', 'a']);
  for (const name of ['bob', 'operator']) await run(['passwd', '-b', users, name, name[0]]);
  const rules = join(directory, 'rules.yaml');
  writeFileSync(
    rules,
    ['alice a/#', 'bob b/#', "operator '#'"]
      .map((line) => line.split(' '))
      .map(([user, topics]) => `- { allow: all, user: ${user}, topics: ${topics} }\n`)
      .join(''),
  );
  words = ['--password-file', users, '--rules-file', rules];
});
afterEach(leave);
afterAll(() => rmSync(directory, { recursive: true }));

const durable = { sessionExpiryInterval: 3600 };

/** Connects with the identifier that alice uses. */
async function dial(url: string, user: string, version: 4 | 5 = 5, cleanStart = false) {
  const wire = await WireClient.open(url, version);
  const properties = version === 5 ? durable : {};
  wire.send(connectPacket({ version, clientId: 'gauge-1', cleanStart, userName: user, password: user[0], properties }));
  return { wire, connack: await wire.expect('connack', 15_000) };
}

/** Alice has a session with messages in flight; bob tries at every address for it; then alice is back with all of them. */
async function story(urls: readonly string[]): Promise<void> {
  const [first] = urls;
  const { wire, connack } = await dial(first, 'alice');
  expect(connack.reasonCode).toBe(0);
  expect(await subscribe(wire, 'a/#', 1)).toBe(1);
  const operator = await enter(first, { clientId: 'operator', userName: 'operator', password: 'o' });
  for (const payload of ['1', '2', '3']) expect(await publish(operator, 'a/x', payload)).toBe(0);
  for (const payload of ['1', '2', '3']) expect(String((await wire.expectAmong('publish')).payload)).toBe(payload);
  const refusals = async (): Promise<void> => {
    for (const url of urls) {
      for (const cleanStart of [false, true]) {
        const attempt = await dial(url, 'bob', 5, cleanStart);
        expect(attempt.connack.reasonCode).toBe(0x87);
        await attempt.wire.expectClosed();
        const older = await dial(url, 'bob', 4, cleanStart);
        expect(older.connack.reasonCode).toBe(5);
      }
    }
  };
  await refusals();
  await wire.expectNothing(); // still connected
  await wire.drop();
  await refusals();
  expect(await publish(operator, 'a/x', '4')).toBe(0);
  const again = await dial(urls[urls.length - 1], 'alice');
  expect(again.connack).toMatchObject({ reasonCode: 0, sessionPresent: true });
  for (const payload of ['1', '2', '3', '4'])
    expect(String((await again.wire.expectAmong('publish')).payload)).toBe(payload);
  await again.wire.drop();
}

describe('the session of one user', () => {
  test('is closed to another on a node with LMDB, and over its restart', async () => {
    const store = ['--store', 'lmdb', '--data', join(directory, 'store'), '--workers', '2'];
    const started = await startBroker([...words, ...store]);
    await story([`mqtt://127.0.0.1:${started.port}`]);
    started.broker.child.kill('SIGKILL');
    await started.broker.finished;
    const restarted = await startBroker([...words, ...store]);
    const url = `mqtt://127.0.0.1:${restarted.port}`;
    expect((await dial(url, 'bob')).connack.reasonCode).toBe(0x87);
    expect((await dial(url, 'alice')).connack).toMatchObject({ reasonCode: 0, sessionPresent: true });
    restarted.broker.child.kill('SIGKILL');
    await restarted.broker.finished;
  });

  test('is closed to another on two nodes with Redis', async () => {
    await using cluster = await Cluster.start({ nodes: 2, arguments: words });
    await story(cluster.nodes.map(({ url }) => url));
  });
});
