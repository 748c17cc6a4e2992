import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HttpQuestionServer } from '@dunlin/testkit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Dunlin, run, startBroker } from '../command.ts';
import { answerTo, enter, knock, leave, message, publish, subscribe } from './entering.ts';

const notAuthorized = 0x87;
const unavailable = 0x88;

let directory: string;
let service: HttpQuestionServer;
let broker: Dunlin;
let url: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-http-'));
  writeFileSync(join(directory, 'headers'), 'authorization: Bearer first\n', { mode: 0o600 });
  writeFileSync(join(directory, 'rules.yaml'), '- { deny: all, topics: secret/# }\n');
  service = await HttpQuestionServer.start();
  const keys = [
    `httpAuth.signInUrl=${service.url}/sign-in`,
    `httpAuth.rightsUrl=${service.url}/rights`,
    `httpAuth.headersFile=${join(directory, 'headers')}`,
    `authorization.rulesFile=${join(directory, 'rules.yaml')}`,
    'httpAuth.timeoutMilliseconds=500',
    'httpAuth.cacheSeconds=1',
  ];
  const started = await startBroker(['--workers', '1', ...keys.flatMap((key) => ['--set', key])]);
  broker = started.broker;
  url = `mqtt://127.0.0.1:${started.port}`;
});
afterEach(() => {
  service.questions.length = 0;
});
afterAll(async () => {
  await leave();
  broker.child.kill('SIGKILL');
  await broker.finished;
  await service.stop();
  rmSync(directory, { recursive: true });
});

/** The service lets everybody in, and allows what is below `open/`. */
function answering(): void {
  service.reply = ({ path, fields }) => {
    const isAllowed = path === '/sign-in' ? fields.password === 'secret' : String(fields.topic).startsWith('open/');
    return { status: 200, body: { result: isAllowed ? 'allow' : 'deny' } };
  };
}

const ann = { clientId: 'gauge-1', userName: 'ann', password: 'secret' };

test('who the service knows comes in, others do not', async () => {
  answering();
  expect(await answerTo(url, ann)).toBe(0);
  expect(service.questions).toMatchObject([
    { path: '/sign-in', fields: { clientid: 'gauge-1', username: 'ann', password: 'secret', peerhost: '127.0.0.1' } },
  ]);
  expect(await answerTo(url, { ...ann, password: 'wrong' })).toBe(notAuthorized);
  expect(await answerTo(url, { ...ann, userName: null, password: null })).toBe(notAuthorized);
});

test('a sign-in costs one round trip: one question, over a connection that is open already', async () => {
  answering();
  expect(await answerTo(url, { ...ann, clientId: 'first' })).toBe(0);
  const [questions, connections] = [service.questions.length, service.connections];
  for (let index = 0; index < 20; index++) expect(await answerTo(url, { ...ann, clientId: `gauge-1${index}` })).toBe(0);
  expect(service.questions.length - questions).toBe(20);
  expect(service.connections - connections).toBe(0);
});

test('publishing and subscribing are asked for, and the rules of the file come first', async () => {
  answering();
  const wire = await enter(url, ann);
  expect(await subscribe(wire, 'open/#', 1)).toBe(1);
  expect(await subscribe(wire, 'closed/#')).toBe(notAuthorized);
  expect(await publish(wire, 'closed/a')).toBe(notAuthorized);
  expect(await publish(wire, 'open/a', 'hello')).toBe(0);
  expect((await wire.expectAmong('publish')).payload.toString()).toBe('hello');
  const before = service.questions.length;
  expect(await publish(wire, 'secret/a')).toBe(notAuthorized);
  expect(service.questions.length).toBe(before);
  expect(service.questions.at(-1)?.fields).toMatchObject({ action: 'publish', topic: 'open/a', qos: 1, retain: false });
});

/** Seen to fail when the connection itself remembered the answer for its last topic. */
test('a right that is withdrawn is gone for QoS 0 to the same topic when the answer is no longer kept', async () => {
  answering();
  const wire = await enter(url, { ...ann, clientId: 'withdrawn' });
  await subscribe(wire, 'open/#');
  for (const payload of ['asked', 'known']) {
    wire.send(message('open/t', payload));
    await wire.expectAmong('publish');
  }
  service.reply = () => ({ status: 200, body: { result: 'deny' } });
  // PINGRESP follows what comes of the packets before it: it comes first once the message is dropped.
  for (let type = 'publish'; type === 'publish'; ) {
    wire.send(message('open/t'), { type: 'pingreq' });
    type = (await wire.next()).type;
    if (type === 'publish') await wire.expect('pingresp');
  }
}, 20_000);

test('a client whose service is silent hears 0x88 in time, and nobody else waits', async () => {
  answering();
  const other = await enter(url, { ...ann, clientId: 'other' });
  service.reply = ({ path }) => (path === '/sign-in' ? 'never' : { status: 204 });
  const waiting = knock(url, { ...ann, clientId: 'late' });
  expect(await publish(other, 'open/a')).toBe(0);
  expect((await waiting).connack.reasonCode).toBe(unavailable);
});

test('what cannot be combined is an error that says what is allowed', async () => {
  const { errors, code } = await run(['config', 'check', '--set', 'httpAuth.superuserUrl=http://127.0.0.1/s']);
  expect(code).not.toBe(0);
  expect(errors).toContain('httpAuth.superuserUrl: given with httpAuth.format emqx');
});
