/** Commands that ask the node on a data directory, without a key; and those that find none. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Conversation } from '@dunlin/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Dunlin, run } from './command.ts';

const timeout = 60_000;
let directory: string;
let data: string[];
let broker: Dunlin;
let url: string;
let admin: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-commands-'));
  data = ['--data', join(directory, 'data')];
  const words = ['--listener', 'tcp://127.0.0.1:0', '--store', 'lmdb', '--workers', '2', '--admin', '127.0.0.1:0'];
  broker = new Dunlin(['start', ...words, ...data]);
  await broker.until('"event":"node.started"');
  const line = (event: string) => broker.log().find((each) => each.event === event);
  url = (line('node.started') as { listeners: string[] }).listeners[0].replace(/^tcp:/, 'mqtt:');
  admin = (line('admin.opened') as { address: string }).address;
}, timeout);
afterAll(async () => {
  broker?.child.kill('SIGKILL');
  await broker?.finished;
  rmSync(directory, { recursive: true });
});

test('status says that all is well, and tables show who is connected', { timeout }, async () => {
  const client = await Conversation.open(url, 5);
  await client.connect({ clientId: 'gauge-1' });
  const [status, clients, listeners] = await Promise.all([
    run(['status', ...data]),
    run(['clients', ...data]),
    run(['listeners', ...data]),
  ]);
  expect(status).toMatchObject({ code: 0, errors: '' });
  expect(status.output).toMatch(/^nodes +1 of 1 ready\nclients +1\n/);
  expect(clients.output).toMatch(/^CLIENT +USER +ADDRESS +NODE .*\ngauge-1 +- +127\.0\.0\.1:\d+ /);
  expect(listeners.output).toMatch(
    /^LISTENER +ADDRESS +CERTIFICATE\ntcp:\/\/127\.0\.0\.1:0 +tcp:\/\/127\.0\.0\.1:\d+ +-\n$/,
  );
  await client.leave();
});

test('retained messages are listed, counted in a dry run, and removed, which subscribers hear', {
  timeout,
}, async () => {
  const client = await Conversation.open(url, 5);
  await client.connect({ clientId: 'keeper' });
  for (const topic of ['home/1', 'home/2', 'shop/1'])
    await client.publish({ topic, payload: `at ${topic}`, qos: 1, retain: true });
  expect(await run(['retained', 'list', 'home/#', ...data])).toMatchObject({
    code: 0,
    output: 'TOPIC   QOS  BYTES  PAYLOAD\nhome/1  1    9      at home/1\nhome/2  1    9      at home/2\n',
  });
  const dry = await run(['retained', 'delete', 'home/#', '--dry-run', ...data]);
  expect(dry).toMatchObject({ code: 0, output: '2 retained messages would be removed\nTOPIC\nhome/1\nhome/2\n' });
  const done = await run(['retained', 'delete', 'home/#', ...data]);
  expect(done).toMatchObject({ code: 0, output: '2 retained messages removed\n' });
  const left = await run(['retained', 'list', '--json', ...data]);
  expect(
    left.output
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).topic),
  ).toEqual(['shop/1']);
  const wrong = await run(['retained', 'list', 'home/#/x', ...data]);
  expect(wrong).toMatchObject({ code: 1, output: '' });
  expect(wrong.errors).toContain('filter: given "home/#/x", allowed: a topic filter');
  await client.leave();
});

test('what a command cannot find it says, with what to do', { timeout }, async () => {
  const nowhere = await run(['status', '--data', join(directory, 'none')]);
  expect(nowhere).toMatchObject({ code: 3, output: '' });
  expect(nowhere.errors).toMatch(/^dunlin: no node can be asked at .*\/none\/control\.sock: there is no such socket/);
  const keyless = await run(['status', '--admin', admin, '--data', join(directory, 'none')]);
  expect(keyless).toMatchObject({ code: 2 });
  expect(keyless.errors).toContain('no key is known: give --key-file FILE');
  // With the key that the first start has written.
  expect(await run(['status', '--admin', admin, ...data])).toMatchObject({ code: 0 });
  const nobody = await run(['client', 'nobody', ...data]);
  expect(nobody).toMatchObject({ code: 1, errors: 'dunlin: id: given "nobody", which is not connected\n' });
  const scope = await run(['keys', 'add', 'x', '--scope', 'all', ...data]);
  expect(scope).toMatchObject({ code: 1, errors: 'dunlin: body: scope: given "all", allowed: read, write, admin\n' });
});
