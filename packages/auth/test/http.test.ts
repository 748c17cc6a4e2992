import { QuestionFigures } from '@dunlin/broker/ports';
import { HttpQuestionServer, type Reply } from '@dunlin/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Attempts } from '../src/fair/attempts.ts';
import { HttpAccess, type HttpAccessOptions } from '../src/http/http-access.ts';
import { HttpService, HttpServiceError } from '../src/http/http-service.ts';
import { notMine } from '../src/method.ts';
import { RuleSet } from '../src/rules/rule-set.ts';
import { RulesAuthorizer } from '../src/rules-authorizer.ts';
import { readRulesFile } from '../src/rules-file.ts';
import { credentials, Notebook, StillClock } from './credentials.ts';

let server: HttpQuestionServer;
let clock: StillClock;
let log: Notebook;
const opened: { close(): void }[] = [];

beforeEach(async () => {
  server = await HttpQuestionServer.start();
  clock = new StillClock();
  log = new Notebook();
});
afterEach(async () => {
  for (const access of opened.splice(0)) access.close();
  await server.stop();
});

/** An access that asks the server for everything. */
function access(change: Partial<HttpAccessOptions> = {}, rules: string | null = null): HttpAccess {
  const options: HttpAccessOptions = {
    format: 'emqx',
    signInUrl: `${server.url}/sign-in`,
    rightsUrl: `${server.url}/rights`,
    superuserUrl: '',
    parameters: 'form',
    answers: 'status',
    cacheSeconds: 30,
    timeoutMilliseconds: 2000,
    concurrentMax: 4,
    ...change,
  };
  const file =
    rules === null
      ? null
      : RuleSet.of([...readRulesFile({ name: 'rules', text: rules })].flatMap((piece) => piece.rules));
  const [authorizer, attempts] = [new RulesAuthorizer(file), new Attempts(clock)];
  const made = new HttpAccess(options, { headers: {}, authorities: null }, authorizer, attempts, clock, log);
  opened.push(made);
  return made;
}

const ann = credentials({ userName: 'ann', password: 'secret' });
/** A client as the authorizer sees it. */
const client = (rules?: unknown) => ({ clientId: 'c', userName: 'ann', remoteAddress: '127.0.0.1:50000', rules });
const goAuth: Partial<HttpAccessOptions> = { format: 'go-auth' };
const seconds = 1_700_000_000;

describe('sign-in in the JSON of EMQX', () => {
  test('asks once with all that is known of the client', async () => {
    server.reply = () => ({ status: 200, body: { result: 'allow' } });
    expect(await access().method.authenticate(ann)).toEqual({ kind: 'accept', userName: 'ann' });
    expect(server.questions).toMatchObject([
      {
        path: '/sign-in',
        contentType: 'application/json',
        fields: { clientid: 'c', username: 'ann', password: 'secret', peerhost: '127.0.0.1' },
      },
    ]);
  });

  test.each<[string, Reply, object]>([
    ['204', { status: 204 }, { kind: 'accept', userName: 'ann' }],
    ['deny', { status: 200, body: { result: 'deny' } }, { kind: 'refuse' }],
    ['ignore', { status: 200, body: { result: 'ignore' } }, notMine],
    ['404', { status: 404 }, notMine],
    ['500', { status: 500 }, { kind: 'cannot-tell' }],
    ['a redirect', { status: 302 }, { kind: 'cannot-tell' }],
    ['no result', { status: 200, body: {} }, { kind: 'cannot-tell' }],
    ['another result', { status: 200, body: { result: 'yes' } }, { kind: 'cannot-tell' }],
    ['no JSON', { status: 200, body: 'allow' }, { kind: 'cannot-tell' }],
    [
      'an end in the future',
      { status: 200, body: { result: 'allow', expire_at: seconds + 60 } },
      { kind: 'accept', expiresAt: (seconds + 60) * 1000 },
    ],
    ['an end in the past', { status: 200, body: { result: 'allow', expire_at: seconds } }, { kind: 'refuse' }],
    [
      'an end in milliseconds',
      { status: 200, body: { result: 'allow', expire_at: seconds * 1000 } },
      { kind: 'cannot-tell' },
    ],
    [
      'attributes and whatever else there is',
      { status: 200, body: { result: 'allow', client_attrs: { role: 'admin' }, more: [1] } },
      { kind: 'accept', userName: 'ann' },
    ],
    ['an end that is none', { status: 200, body: { result: 'allow', expire_at: 'soon' } }, { kind: 'cannot-tell' }],
    ['rules that are none', { status: 200, body: { result: 'allow', acl: [{}] } }, { kind: 'cannot-tell' }],
    [
      'a rule with a condition that is not known',
      {
        status: 200,
        body: {
          result: 'allow',
          acl: [{ permission: 'allow', action: 'all', topic: '#', clientid_re: '^c' }],
        },
      },
      { kind: 'cannot-tell' },
    ],
  ])('%s', async (_, reply, decision) => {
    server.reply = () => reply;
    expect(await access().method.authenticate(ann)).toMatchObject(decision);
  });

  test('a superuser may do everything, whatever the rules say', async () => {
    server.reply = () => ({ status: 200, body: { result: 'allow', is_superuser: true } });
    const { method, authorizer } = access({}, '- { deny: all, topics: secret/# }');
    const decision = await method.authenticate(ann);
    const { rules } = decision as { rules?: unknown };
    expect(authorizer?.authorize(client(rules), 'publish', 'secret/a', 1, true)).toBe(true);
    expect(authorizer?.authorize(client(rules), 'subscribe', '#', 0, false)).toBe(true);
  });

  test('rules of the answer come first, and what they leave open is asked', async () => {
    server.reply = ({ path }) =>
      path === '/rights'
        ? { status: 200, body: { result: 'allow' } }
        : {
            status: 200,
            body: {
              result: 'allow',
              acl: [
                { permission: 'deny', action: 'publish', topic: 't/\x24{clientid}/retained', retain: true },
                { permission: 'allow', action: 'all', topic: 't/\x24{clientid}/#', qos: [0, 1] },
                { permission: 'allow', action: 'subscribe', topic: 'eq exact/#' },
                { permission: 'deny', action: 'subscribe', topic: 'exact/#' },
              ],
            },
          };
    const { method, authorizer } = access();
    const { rules } = (await method.authenticate(ann)) as { rules?: unknown };
    const may = (action: 'publish' | 'subscribe', topic: string, qos: 0 | 1 | 2 = 0, retain = false) =>
      authorizer?.authorize(client(rules), action, topic, qos, retain);
    expect(may('publish', 't/c/retained', 0, true)).toBe(false);
    expect(may('publish', 't/c/retained')).toBe(true);
    expect(may('subscribe', 't/c/a', 1)).toBe(true);
    expect(may('subscribe', 'exact/#')).toBe(true);
    expect(may('subscribe', 'exact/a')).toBe(false);
    expect(server.paths).toEqual(['/sign-in']);
    expect(await may('publish', 't/c/a', 2)).toBe(true);
    expect(server.paths).toEqual(['/sign-in', '/rights']);
  });
});

test('rules in all the forms that EMQX takes', async () => {
  server.reply = () => ({
    status: 200,
    body: {
      result: 'allow',
      acl: [
        { permission: 'deny', action: 'sub', topics: ['secret/#', 'eq exact/#'] },
        { permission: 'allow', action: 'pub', topics: ['a/+', 'b'], qos: 1, retain: 'all' },
        { permission: 'allow', action: 'all', topic: 'near/#', ipaddr: '127.0.0.0/8' },
        { permission: 'allow', action: 'all', topic: 'far/#', ipaddr: '10.0.0.0/8' },
        { permission: 'allow', action: 'subscribe', topic: 'exact/#', retain: true },
        { permission: 'deny', action: 'all', topic: '#' },
      ],
    },
  });
  const { method, authorizer } = access();
  const { rules } = (await method.authenticate(ann)) as { rules?: unknown };
  const may = (action: 'publish' | 'subscribe', topic: string, qos: 0 | 1 = 0, retain = false) =>
    authorizer?.authorize(client(rules), action, topic, qos, retain);
  expect([may('subscribe', 'secret/a'), may('subscribe', 'exact/#'), may('subscribe', 'exact/a')]).toEqual([
    false,
    false,
    true,
  ]);
  expect([may('publish', 'a/x', 1, true), may('publish', 'b', 1), may('publish', 'b', 0)]).toEqual([true, true, false]);
  expect([may('publish', 'near/a'), may('publish', 'far/a')]).toEqual([true, false]);
});

test('questions of mosquitto-go-auth as JSON', async () => {
  server.reply = () => ({ status: 200 });
  const { method, authorizer } = access({ ...goAuth, parameters: 'json' });
  expect(await method.authenticate(ann)).toMatchObject({ kind: 'accept' });
  expect(await authorizer?.authorize(client(), 'publish', 'a', 0, false)).toBe(true);
  expect(server.questions).toMatchObject([
    { contentType: 'application/json', fields: { username: 'ann', password: 'secret', clientid: 'c' } },
    { contentType: 'application/json', fields: { username: 'ann', clientid: 'c', topic: 'a', acc: 2 } },
  ]);
});

describe('sign-in in the form posts of mosquitto-go-auth', () => {
  test.each<[string, Reply, object]>([
    ['200', { status: 200, body: 'anything' }, { kind: 'accept', userName: 'ann' }],
    ['401', { status: 401 }, { kind: 'refuse' }],
    ['503', { status: 503 }, { kind: 'cannot-tell' }],
  ])('%s', async (_, reply, decision) => {
    server.reply = () => reply;
    expect(await access(goAuth).method.authenticate(ann)).toMatchObject(decision);
    expect(server.questions).toMatchObject([
      {
        contentType: 'application/x-www-form-urlencoded',
        fields: { username: 'ann', password: 'secret', clientid: 'c' },
      },
    ]);
  });

  test.each<[HttpAccessOptions['answers'], string, string]>([
    ['text', 'ok', 'accept'],
    ['text', 'no', 'refuse'],
    ['json', '{"ok": true, "error": ""}', 'accept'],
    ['json', '{"ok": false, "error": "wrong"}', 'refuse'],
    ['json', 'ok', 'cannot-tell'],
  ])('with answers in %s, %s', async (answers, body, kind) => {
    server.reply = () => ({ status: 200, body });
    expect(await access({ ...goAuth, answers }).method.authenticate(ann)).toMatchObject({ kind });
  });

  test('a superuser is asked for by name, and may do everything', async () => {
    server.reply = () => ({ status: 200 });
    const { method } = access({ ...goAuth, superuserUrl: `${server.url}/superuser` });
    const decision = await method.authenticate(ann);
    expect(decision).toMatchObject({ kind: 'accept' });
    expect(decision).toHaveProperty('rules');
    expect(server.questions[1]).toMatchObject({ path: '/superuser', fields: { username: 'ann' } });
  });

  test('a publish is asked for as write, a subscription as subscribe and as read', async () => {
    let refused = '';
    server.reply = ({ fields }) => ({ status: fields.acc === refused ? 403 : 200 });
    const { authorizer } = access({ ...goAuth, cacheSeconds: 0 });
    const may = (action: 'publish' | 'subscribe') => authorizer?.authorize(client(), action, 'a/b', 0, false);
    expect(await may('publish')).toBe(true);
    expect(await may('subscribe')).toBe(true);
    expect(server.questions.map(({ fields }) => fields.acc)).toEqual(['2', '4', '1']);
    refused = '1';
    expect(await may('subscribe')).toBe(false);
    expect(await may('publish')).toBe(true);
  });
});

describe('answers that are kept', () => {
  test('a yes is asked for once in its time, for the same credentials alone', async () => {
    server.reply = ({ fields }) => ({ status: fields.password === 'secret' ? 200 : 403 });
    const { method } = access(goAuth);
    await method.authenticate(ann);
    expect(await method.authenticate({ ...ann, remoteAddress: '127.0.0.1:50001' })).toMatchObject({ kind: 'accept' });
    expect(server.questions.length).toBe(1);
    expect(await method.authenticate({ ...ann, password: Buffer.from('wrong') })).toMatchObject({ kind: 'refuse' });
    await method.authenticate({ ...ann, clientId: 'd' });
    expect(server.questions.length).toBe(3);
    clock.milliseconds += 30_000;
    await method.authenticate(ann);
    expect(server.questions.length).toBe(4);
  });

  test('a yes is not kept beyond its end', async () => {
    server.reply = () => ({ status: 200, body: { result: 'allow', expire_at: seconds + 10 } });
    const { method } = access();
    await method.authenticate(ann);
    clock.milliseconds += 10_000;
    expect(await method.authenticate(ann)).toMatchObject({ kind: 'refuse' });
  });

  test('rights are asked for once in their time for a client, topic and QoS', async () => {
    server.reply = ({ fields }) => ({ status: 200, body: { result: fields.topic === 'a' ? 'allow' : 'deny' } });
    const { authorizer } = access();
    const one = client();
    const may = (topic: string, qos: 0 | 1 = 0) => authorizer?.authorize(one, 'publish', topic, qos, false);
    expect(await may('a')).toBe(true);
    expect(may('a')).toBe(true);
    expect(await may('b')).toBe(false);
    expect(may('b')).toBe(false);
    expect(await may('a', 1)).toBe(true);
    expect(server.questions.length).toBe(3);
    clock.milliseconds += 30_000;
    server.reply = () => ({ status: 200, body: { result: 'deny' } });
    expect(await may('a')).toBe(false);
  });

  test('no answer about rights means no, and is not kept', async () => {
    server.reply = () => ({ status: 500 });
    const { authorizer } = access();
    const one = client();
    expect(await authorizer?.authorize(one, 'publish', 'a', 0, false)).toBe(false);
    server.reply = () => ({ status: 204 });
    expect(await authorizer?.authorize(one, 'publish', 'a', 0, false)).toBe(true);
  });
});

describe('a service that does not answer', () => {
  const service = (timeoutMilliseconds: number, concurrentMax = 1) => {
    const made = new HttpService(
      { timeoutMilliseconds, concurrentMax },
      { headers: { authorization: 'Bearer x' }, authorities: null },
      clock,
      log,
    );
    opened.push(made);
    return made;
  };

  test('is waited for as long as configured', async () => {
    server.reply = () => 'never';
    await expect(service(50).ask(`${server.url}/x`, 'json', {})).rejects.toThrow('no answer within 50 ms');
  });

  test('is left alone for five seconds after five failures, then asked once, then used again', async () => {
    server.reply = () => ({ status: 500 });
    const asked = service(2000);
    const ask = () => asked.ask(`${server.url}/x?key=1`, 'json', {});
    for (let index = 0; index < 5; index++) await expect(ask()).rejects.toThrow('status 500');
    await expect(ask()).rejects.toThrow('is not asked for 5 s');
    expect(server.questions.length).toBe(5);
    expect(log.lines.join('\n')).toContain(`"url":"${server.url}/x"`);
    expect(log.lines.join('\n')).not.toContain('key=1');
    clock.milliseconds += 5000;
    const [first, second] = await Promise.allSettled([ask(), ask()]);
    expect([first.status, second.status]).toEqual(['rejected', 'rejected']);
    expect(server.questions.length).toBe(6);
    clock.milliseconds += 5000;
    server.reply = () => ({ status: 204 });
    expect((await ask()).status).toBe(204);
    expect((await ask()).status).toBe(204);
    expect(log.lines.length).toBe(2);
  });

  test('is counted: answers, failures, what was not asked, and whether it is left alone', async () => {
    const figures = new QuestionFigures();
    const made = new HttpService(
      { timeoutMilliseconds: 2000, concurrentMax: 1 },
      { headers: {}, authorities: null },
      clock,
      log,
      figures,
    );
    opened.push(made);
    const ask = () => made.ask(`${server.url}/x`, 'json', {}).catch(() => undefined);
    server.reply = () => ({ status: 403 });
    await ask();
    server.reply = () => ({ status: 500 });
    for (let index = 0; index < 7; index++) await ask();
    expect(figures.results).toEqual({ answered: 1, failed: 5, 'not-asked': 2 });
    expect(figures.seconds.counts.reduce((sum, count) => sum + count)).toBe(6);
    expect(figures.circuitOpen).toBe(1);
    server.reply = () => ({ status: 204 });
    clock.milliseconds += 5000;
    await ask();
    expect(figures.results.answered).toBe(2);
    expect(figures.circuitOpen).toBe(0);
  });

  test('is asked so many questions at once, fifteen times as many wait, and more are refused', async () => {
    const gate = Promise.withResolvers<void>();
    const two = Promise.withResolvers<void>();
    let atOnce = 0;
    let most = 0;
    server.reply = async () => {
      most = Math.max(most, ++atOnce);
      if (atOnce === 2) two.resolve();
      await gate.promise;
      atOnce--;
      return { status: 204 };
    };
    const asked = service(10_000, 2);
    const questions = Array.from({ length: 32 }, () => asked.ask(`${server.url}/x`, 'json', {}));
    await expect(asked.ask(`${server.url}/x`, 'json', {})).rejects.toThrow('32 questions are under way already');
    await two.promise;
    gate.resolve();
    expect((await Promise.all(questions)).length).toBe(32);
    expect(most).toBe(2);
  });

  test('an answer that is too long is none', async () => {
    server.reply = () => ({ status: 200, body: 'x'.repeat(300_000) });
    await expect(service(2000).ask(`${server.url}/x`, 'json', {})).rejects.toThrow('more than 262144 bytes');
  });

  test('a port where nobody listens is an error of its kind', async () => {
    const gone = await HttpQuestionServer.start();
    await gone.stop();
    await expect(service(2000).ask(gone.url, 'json', {})).rejects.toBeInstanceOf(HttpServiceError);
  });

  test('headers of the file go with each question', async () => {
    server.reply = () => ({ status: 204 });
    const asked = service(2000);
    await asked.ask(server.url, 'form', {});
    asked.replace({ headers: { 'x-key': 'new' }, authorities: null });
    await asked.ask(server.url, 'form', {});
    expect(server.questions[0].headers.authorization).toBe('Bearer x');
    expect(server.questions[1].headers).toMatchObject({ 'x-key': 'new' });
    expect(server.questions[1].headers.authorization).toBeUndefined();
  });
});
