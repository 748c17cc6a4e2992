/** Log lines about clients: connects, disconnects, and each refusal. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WireClient } from '@dunlin/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { answerTo, enter, leave, message, publish, subscribe } from '../access/entering.ts';
import { type Dunlin, run, startBroker } from '../command.ts';

let directory: string;
let broker: Dunlin | null;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-client-log-'));
  broker = null;
});
afterEach(async () => {
  await leave();
  broker?.child.kill('SIGKILL');
  await broker?.finished;
  rmSync(directory, { recursive: true });
});

async function start(words: readonly string[]): Promise<string> {
  const started = await startBroker(words);
  broker = started.broker;
  return `mqtt://127.0.0.1:${started.port}`;
}

/** The lines about one client, as soon as one of them says this. */
async function linesOf(client: string, text: string): Promise<Record<string, unknown>[]> {
  await broker?.until(text);
  return (broker as Dunlin).log().filter((line) => line.client === client);
}

const address = expect.stringMatching(/^127\.0\.0\.1:\d+$/);
const listener = 'tcp://127.0.0.1:0';

test('who comes and who goes, and why, is said at the level that log.connections chooses', async () => {
  const users = join(directory, 'users');
  await run(['passwd', '-c', '-b', users, 'ann', 'hunter2']);
  const url = await start(['--workers', '1', '--password-file', users, '--set', 'log.connections=true']);
  const wire = await enter(url, { clientId: 'gauge', userName: 'ann', password: 'hunter2' });
  wire.send({ type: 'disconnect', reasonCode: 4, properties: {} });
  const told = await linesOf('gauge', 'client disconnected');
  const who = { level: 'info', client: 'gauge', user: 'ann', address, listener, version: '5.0' };
  expect(told).toMatchObject([
    { event: 'client.connected', ...who, cleanStart: true, sessionPresent: false, keepAliveSeconds: 0 },
    { event: 'client.disconnected', ...who, reason: 'client-disconnect', code: '0x04' },
  ]);
  expect(told[1].durationSeconds).toBeGreaterThan(0);
  expect(told[1].durationSeconds).toBeLessThan(60);
  // By default they are for debugging; a reload may change that.
  expect(broker?.output).not.toContain('hunter2');
  broker?.child.kill('SIGKILL');
  await broker?.finished;

  const file = join(directory, 'dunlin.yaml');
  writeFileSync(file, 'log: { level: info }\n');
  const other = await start(['--workers', '1', '--config', file]);
  await (await enter(other, { clientId: 'quiet' })).drop();
  writeFileSync(file, 'log: { connections: true }\n');
  broker?.child.kill('SIGHUP');
  await broker?.until('configuration.reloaded');
  await (await enter(other, { clientId: 'loud', version: 4 })).drop();
  expect(await linesOf('loud', 'client disconnected')).toMatchObject([
    { event: 'client.connected', level: 'info', user: '', version: '3.1.1' },
    { event: 'client.disconnected', reason: 'connection-lost' },
  ]);
  expect(broker?.output).not.toContain('quiet');
});

test('each refusal of a PUBLISH, a SUBSCRIBE and a connection is said at info, with what was asked and why', async () => {
  const rules = join(directory, 'rules.yaml');
  writeFileSync(rules, '- allow: all\n  topics: mine/#\n  anonymous: true\n');
  const limits = ['--set', 'limits.subscriptionsMax=1', '--set', 'limits.connectionsMax=2'];
  const url = await start([
    '--workers',
    '1',
    '--rules-file',
    rules,
    '--set',
    'limits.retainAvailable=false',
    ...limits,
  ]);
  const wire = await enter(url, { clientId: 'asks' });
  wire.send(message('yours/quietly'));
  expect(await publish(wire, 'yours/1')).toBe(0x87);
  expect(await subscribe(wire, 'yours/#')).toBe(0x87);
  expect(await subscribe(wire, 'mine/a')).toBe(0);
  expect(await subscribe(wire, 'mine/b')).toBe(0x97);
  expect(await subscribe(wire, 'mine/#/c')).toBe(0x8f);
  const who = { level: 'info', user: '', address, listener };
  const rulesSay = 'not allowed by the rules';
  expect(await linesOf('asks', 'mine/#/c')).toMatchObject([
    { event: 'publish.refused', ...who, topic: 'yours/quietly', qos: 0, reason: rulesSay },
    { event: 'publish.refused', ...who, topic: 'yours/1', qos: 1, reason: rulesSay },
    { event: 'subscription.refused', ...who, filter: 'yours/#', qos: 0, reason: rulesSay },
    { event: 'subscription.refused', ...who, filter: 'mine/b', reason: 'limits.subscriptionsMax is reached: 1' },
    { event: 'subscription.refused', ...who, filter: 'mine/#/c', reason: expect.stringContaining('#') },
  ]);
  const second = await enter(url, { clientId: 'retains' });
  const third = await WireClient.open(url, 5);
  await third.untilClosed();
  await broker?.until('limits.connectionsMax is reached: 2');
  expect(broker?.log().at(-1)).toMatchObject({ event: 'connection.refused', ...who });
  second.send({ ...message('mine/kept'), retain: true });
  expect(await linesOf('retains', 'retained messages are not supported here')).toMatchObject([
    { event: 'protocol.violated', ...who, client: 'retains' },
  ]);
  await second.untilClosed();
  expect(await answerTo(url, { clientId: 'wills', will: 'yours/will' })).toBe(0x87);
  expect(await linesOf('wills', 'a will for')).toMatchObject([{ event: 'protocol.violated', ...who, client: 'wills' }]);
});

test('of an address ten refusals a second are said, on whatever worker, and the others are counted', async () => {
  const rules = join(directory, 'rules.yaml');
  writeFileSync(rules, '- allow: publish\n  topics: mine/#\n  anonymous: true\n');
  const url = await start(['--workers', '2', '--rules-file', rules]);
  const wires = await Promise.all([1, 2, 3, 4].map((n) => enter(url, { clientId: `flood-${n}` })));
  const floods = wires.map(async (wire) => {
    for (let n = 0; n < 250; n++) wire.send(message(`yours/${n}`));
    expect(await publish(wire, 'mine/1')).toBe(0x10);
  });
  await Promise.all(floods);
  const counted = (): number => {
    const lines = (broker as Dunlin).log();
    const single = lines.filter(({ event }) => event === 'publish.refused').length;
    // The flood is over within a second, or goes on into the next ones on a busy machine.
    const seconds = new Set(
      lines.filter(({ event }) => event === 'publish.refused').map(({ time }) => String(time).slice(0, 19)),
    );
    expect(single).toBeLessThanOrEqual(10 * (seconds.size + 1));
    const more = lines.filter(({ event, address }) => event === 'refusals.summarized' && address === '127.0.0.1');
    return more.reduce((sum, { refusals }) => sum + Number(refusals), single);
  };
  await broker?.until('"event":"refusals.summarized","address":"127.0.0.1"');
  // A worker that has none to tell says nothing: what is told by the last of them makes the thousand full.
  const stopped = broker as Dunlin;
  stopped.child.kill('SIGTERM');
  await stopped.finished;
  expect(counted()).toBe(1000);
}, 30_000);

test('no credential is in the log, whatever field it stands in', async () => {
  const users = join(directory, 'users');
  const secret = join(directory, 'secret');
  await run(['passwd', '-c', '-b', users, 'ann', 'hunter2-right']);
  writeFileSync(secret, 'a secret of more than thirty-two bytes!!');
  const file = join(directory, 'dunlin.yaml');
  const methods = { authentication: ['jwt', 'password-file'], url: listener };
  const configured = {
    listeners: [methods],
    jwt: { secretFile: secret, field: 'user-name' },
    authentication: { passwordFile: users },
    log: { level: 'debug', connections: true },
    workers: 1,
    store: { kind: 'memory' },
  };
  writeFileSync(file, JSON.stringify(configured));
  const started = await startBrokerOf(file);
  const token = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.ZmFsc2VzaWduYXR1cmU';
  await (await enter(started, { clientId: 'right', userName: 'ann', password: 'hunter2-right' })).drop();
  await answerTo(started, { clientId: 'wrong', userName: 'ann', password: 'hunter2-wrong' });
  await answerTo(started, { clientId: 'token', userName: token, password: 'hunter2-beside' });
  await answerTo(started, { clientId: 'bearer', userName: `Bearer ${token}`, password: 'hunter2-beside' });
  await answerTo(started, { clientId: 'last', userName: 'nobody', password: token });
  await broker?.until('"client":"last"');
  for (const client of ['right', 'wrong', 'token', 'bearer', 'last'])
    expect(broker?.output).toContain(`"client":"${client}"`);
  for (const credential of ['hunter2', token, 'ZmFsc2VzaWduYXR1cmU', 'thirty-two bytes'])
    expect(broker?.output).not.toContain(credential);
});

async function startBrokerOf(file: string): Promise<string> {
  const { Dunlin } = await import('../command.ts');
  broker = new Dunlin(['start', '--config', file]);
  await broker.until('"event":"node.started"');
  const ready = broker.log().find((line) => line.event === 'node.started') as { listeners: string[] };
  return ready.listeners[0].replace('tcp:', 'mqtt:');
}

test.each([
  [
    'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n',
    'this looks like HTTP, and MQTT alone is spoken here; metrics and health are at http://127.0.0.1:',
  ],
  [
    'POST /api/v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}',
    'this looks like HTTP',
  ],
  ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'this looks like TLS, and this listener has none'],
  [
    `PROXY TCP4 192.0.2.1 192.0.2.2 50000 1883\r\n${'x'.repeat(60)}`,
    'this looks like a PROXY header, and this listener expects none',
  ],
])('bytes of another protocol are named: %j', async (bytes, named) => {
  const url = await start(['--workers', '1', '--set', 'admin.address=127.0.0.1:0']);
  const wire = await WireClient.open(url, 5);
  wire.send(Buffer.from(bytes, 'latin1'));
  await broker?.until(named);
  expect(broker?.log().at(-1)).toMatchObject({ level: 'info', event: 'protocol.violated', address, listener });
  await wire.drop();
});
