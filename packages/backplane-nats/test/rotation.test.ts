/** Passwords, certificates and permissions that change while an endpoint is connected: it follows by itself. */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type NatsProcess, startNats, TestAuthority } from '@dunlin/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import type { NatsCredentials } from '../src/index.ts';
import { Endpoints, files, type TestEndpoint, text } from './endpoints.ts';

const endpoints = new Endpoints();
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await endpoints.close();
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(options: Parameters<typeof startNats>[0]): Promise<NatsProcess> {
  const server = await startNats(options);
  closing.push(() => server.stop());
  return server;
}

async function meet(one: TestEndpoint, two: TestEndpoint, words: string): Promise<void> {
  one.backplane.send(two.backplane.self, text(words));
  await two.ear.untilText(words);
}

describe.each([
  ['the password of a user', 'dunlin@', (word: string) => [`authorization { user: dunlin, password: "${word}" }`]],
  ['a token', '', (word: string) => [`authorization { token: "${word}" }`]],
])('%s', (_what, user, lines) => {
  test('changed in the file first, then at the server: nobody is refused', async () => {
    const nats = await start({ configuration: lines('first') });
    const shown: NatsCredentials = { secret: 'first' };
    const options = { credentials: async () => shown };
    const servers = `nats://${user === '' ? '' : 'dunlin:stale@'}127.0.0.1:${nats.port}`;
    const [one, two] = [await endpoints.start(servers, options), await endpoints.start(servers, options)];
    shown.secret = 'second';
    await nats.reload(lines('second'));
    for (const { ear } of [one, two]) await ear.until('reconnected');
    await meet(one, two, 'after');
    for (const { log } of [one, two]) {
      expect(log.matching(/refuses/)).toEqual([]);
      expect(log.matching(/is lost/)).toHaveLength(1);
    }
  });

  test('changed at the server first: refused, said once, and back when the file has it', async () => {
    const nats = await start({ configuration: lines('first') });
    const shown: NatsCredentials = { secret: 'first' };
    const servers = `nats://${user === '' ? '' : 'dunlin:stale@'}127.0.0.1:${nats.port}`;
    const one = await endpoints.start(servers, { credentials: async () => shown });
    await nats.reload(lines('second'));
    await one.log.until(/refuses the credentials/);
    shown.secret = 'second';
    await one.ear.until('reconnected');
    expect(one.log.matching(/refuses the credentials/)).toHaveLength(1);
    expect(one.log.matching(/first|second|stale/)).toEqual([]);
  });
});

test('certificates of both sides and their authority: what is wrong until then is said', async () => {
  const [old, young] = await Promise.all([TestAuthority.make('old'), TestAuthority.make('young')]);
  closing.push(
    () => old.remove(),
    () => young.remove(),
  );
  const file = (name: string): string => join(old.directory, name);
  const put = async (authority: TestAuthority, name: string): Promise<void> => {
    const { cert, key } = await authority.issue(name);
    await copyFile(authority.ca, file(`${name}-ca.pem`));
    await copyFile(cert, file(`${name}.pem`));
    await copyFile(key, file(`${name}.key`));
  };
  await Promise.all([put(old, 'server'), put(old, 'client')]);
  const tls = { ca: file('server-ca.pem'), cert: file('server.pem'), key: file('server.key') };
  const nats = await start({ tls });
  const own = { ca: file('client-ca.pem'), certificate: file('client.pem'), key: file('client.key') };
  const [one, two] = [
    await endpoints.start(nats.url, { credentials: files(own) }),
    await endpoints.start(nats.url, { credentials: files(own) }),
  ];
  await put(young, 'server');
  await nats.restart();
  await one.log.until(/cannot be reached.*certificate/);
  // Files are replaced one after the other: what does not belong together meanwhile is an attempt that does not succeed.
  await copyFile((await young.issue('client')).cert, own.certificate);
  await one.log.until(/cannot be reached.*key values mismatch/);
  await put(young, 'client');
  for (const { ear } of [one, two]) await ear.until('reconnected');
  await meet(one, two, 'after');
});

describe('a connection that may not do everything', () => {
  const allowing = (publish: string, subscribe: string): string[] => [
    `authorization { users: [ { user: u, password: p, permissions: { publish: ${publish}, subscribe: ${subscribe} } } ] }`,
  ];
  const all = '"dunlin.dunlin.>"';
  const but = (subject: string): string => `{ allow: [${all}], deny: ["dunlin.dunlin.${subject}"] }`;

  test.each([
    ['publish', 'all'],
    ['publish', 'heartbeat'],
    ['publish', 'bye'],
    ['publish', 'to.>'],
    ['subscribe', 'all'],
    ['subscribe', 'heartbeat'],
    ['subscribe', 'bye'],
    ['subscribe', 'to.>'],
  ])('who may not %s to %s is not connected, says so, and is when it may', async (what, subject) => {
    const refused = what === 'publish' ? [but(subject), all] : [all, but(subject)];
    const nats = await start({ configuration: allowing(refused[0], refused[1]) });
    const url = `nats://u:p@127.0.0.1:${nats.port}`;
    const one = endpoints.make(url);
    const started = one.backplane.start(one.ear);
    await one.log.until(/does not allow/);
    const name = subject === 'to.>' ? 'to.node' : subject;
    expect(one.log.matching(/does not allow/)[0]).toContain(`${what} to dunlin.dunlin.${name}`);
    expect(one.ear.heard).toMatchObject([{ kind: 'denied', what: [expect.stringContaining(name)] }]);
    await nats.reload(allowing(all, all));
    await started;
    expect(one.ear.heard.slice(1)).toEqual([{ kind: 'denied', what: [] }, { kind: 'connected' }]);
    expect(one.log.matching(/does not allow/)).toHaveLength(1);
  });

  test('a subject that only others have: the connection is given up, and tried with it from then on', async () => {
    const nats = await start({ configuration: allowing(all, all) });
    const url = `nats://u:p@127.0.0.1:${nats.port}`;
    const [one, two] = [await endpoints.start(url), await endpoints.start(url)];
    const subject = 'to.node' + `${two.backplane.self.slice(4).replace('/', '=2F').replace('#', '=23')}`;
    await nats.reload(allowing(but(subject), all));
    // It is told when it sends there.
    const timer = setInterval(() => one.backplane.send(two.backplane.self, text('hello')), 20);
    await one.ear.until('disconnected');
    await one.ear.until('denied');
    expect(one.log.matching(/does not allow/)[0]).toContain(`publish to dunlin.dunlin.${subject}`);
    await nats.reload(allowing(all, all));
    await one.ear.until('reconnected');
    await two.ear.untilText('hello');
    clearInterval(timer);
    expect(one.ear.count('left')).toBe(0);
  });

  test('too many subscriptions for the server', async () => {
    const nats = await start({ configuration: ['max_subscriptions: 3'] });
    const one = endpoints.make(nats.url);
    const started = one.backplane.start(one.ear).catch((error: unknown) => error);
    await one.log.until(/does not allow.*maximum subscriptions exceeded/i);
    await one.backplane.stop();
    expect(await started).toMatchObject({ code: 'stopped' });
    expect(one.ear.count('connected')).toBe(0);
  });
});
