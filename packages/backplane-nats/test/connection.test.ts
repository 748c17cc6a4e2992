import { FaultProxy, freePort, type NatsProcess, startNats, TestAuthority } from '@dunlin/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { NatsBackplaneOptions } from '../src/index.ts';
import { Endpoints, fastTimings, files, text } from './endpoints.ts';

let authority: TestAuthority;
beforeAll(async () => {
  authority = await TestAuthority.make();
});
afterAll(() => authority.remove());

let endpoints: Endpoints;
let servers: NatsProcess[];
beforeEach(() => {
  endpoints = new Endpoints();
  servers = [];
});
afterEach(async () => {
  await endpoints.close();
  await Promise.all(servers.map((server) => server.stop()));
});

async function start(options: Parameters<typeof startNats>[0] = {}): Promise<NatsProcess> {
  const server = await startNats(options);
  servers.push(server);
  return server;
}

/** Two endpoints reach each other this way. */
async function reaches(url: string, options: Partial<NatsBackplaneOptions> = {}): Promise<void> {
  const [one, two] = [await endpoints.start(url, options), await endpoints.start(url, options)];
  one.backplane.send(two.backplane.self, text('through'));
  await two.ear.untilText('through');
}

describe('who may connect', () => {
  test('user and password, with signs that a URL escapes', async () => {
    const nats = await start({ user: 'dunlin', password: 'p@ss:wo/rd, 1' });
    await reaches(nats.url);
  });

  test('a token', async () => {
    const nats = await start({ token: 'a-token' });
    await reaches(nats.url);
  });

  test('a credentials file', async () => {
    const nats = await start({ credentials: true });
    await reaches(nats.url, { credentials: files({ userFile: nats.credentialsFile ?? '' }) });
    const without = endpoints.make(nats.url);
    const started = without.backplane.start(without.ear).catch((error: unknown) => error);
    await without.log.until(/refuses the credentials/);
    await without.backplane.stop();
    expect(await started).toMatchObject({ code: 'stopped' });
  });

  test.each([
    ['password', { user: 'dunlin', password: 'right-word' }, 'dunlin:wrong-word@'],
    ['token', { token: 'right-word' }, 'wrong-word@'],
  ])('a wrong %s is said in one line, without it, and tried again', async (_what, options, wrong) => {
    const nats = await start(options);
    const one = endpoints.make(`nats://${wrong}127.0.0.1:${nats.port}`);
    const started = one.backplane.start(one.ear);
    const stopped = expect(started).rejects.toMatchObject({ code: 'stopped' });
    await one.log.until(/refuses the credentials/);
    // The server writes a line for every attempt.
    const attempts = () => nats.output().match(/authentication error/g)?.length ?? 0;
    const timer = setInterval(() => one.log.events.changed(), 20);
    await one.log.events.until('a third attempt', () => attempts() >= 3);
    clearInterval(timer);
    expect(one.log.matching(/refuses the credentials/)).toHaveLength(1);
    expect(one.log.matching(/./)).toHaveLength(1);
    expect(one.log.matching(/word/)).toEqual([]);
    await one.backplane.stop();
    await stopped;
  });

  test('TLS, with the authority of the server, and without it not', async () => {
    const { ca } = authority;
    const { cert, key } = await authority.issue('nats');
    const nats = await start({ tls: { cert, key } });
    await reaches(nats.url, { credentials: files({ ca }) });
    const stranger = endpoints.make(nats.url);
    const stopped = expect(stranger.backplane.start(stranger.ear)).rejects.toMatchObject({ code: 'stopped' });
    await stranger.log.until(/cannot be reached.*certificate/);
    await stranger.backplane.stop();
    await stopped;
  });

  test('TLS with a client certificate', async () => {
    const { ca } = authority;
    const { cert, key } = await authority.issue('nats');
    const nats = await start({ tls: { cert, key, ca } });
    await reaches(nats.url, { credentials: files({ ca, certificate: cert, key }) });
  });
});

describe('when NATS is not there', () => {
  test('at the start, it is awaited, with one line when it is missed and one when it is there', async () => {
    const port = await freePort();
    const one = endpoints.make(`nats://127.0.0.1:${port}`);
    const started = one.backplane.start(one.ear);
    await one.log.until(/cannot be reached.*127\.0\.0\.1.*refused/);
    await start({ port });
    await started;
    expect(one.log.matching(/cannot be reached/)).toHaveLength(1);
    expect(one.log.matching(/connected to NATS/)).toHaveLength(1);
    expect(one.log.lines).toHaveLength(2);
    expect(one.ear.heard).toEqual([{ kind: 'connected' }]);
  });

  test('a restart is reported to both sides, no endpoint leaves, and frames flow again', async () => {
    const nats = await start();
    const [one, two] = [await endpoints.start(nats.url), await endpoints.start(nats.url)];
    await nats.kill();
    for (const { ear } of [one, two]) await ear.until('disconnected');
    // Into nowhere: it neither waits nor comes later.
    for (let count = 0; count < 1000; count++) one.backplane.send(two.backplane.self, text('lost'));
    await nats.restart();
    for (const { ear } of [one, two]) await ear.until('reconnected');
    one.backplane.send(two.backplane.self, text('again'));
    two.backplane.send(one.backplane.self, text('again'));
    for (const { ear, log } of [one, two]) {
      await ear.untilText('again');
      expect(ear.texts()).toEqual(['again']);
      expect([ear.count('left'), ear.count('joined'), ear.count('reconnected'), ear.count('connected')]).toEqual([
        0, 1, 1, 2,
      ]);
      expect(log.matching(/is lost/)).toHaveLength(1);
      expect(log.matching(/connected to NATS/)).toHaveLength(2);
    }
    expect(one.backplane.counters.droppedDisconnected).toBe(1000);
  });

  test('an endpoint that joins while one is cut off is known when that one is back', async () => {
    const nats = await start();
    const proxy = await FaultProxy.start(nats);
    const cut = await endpoints.start(`nats://127.0.0.1:${proxy.port}`);
    proxy.cut();
    await cut.ear.until('disconnected');
    const late = await endpoints.start(nats.url);
    proxy.heal();
    await cut.ear.until('joined', late.backplane.self);
    await late.ear.until('joined', cut.backplane.self);
    await proxy.close();
  });

  /** Two servers of one cluster. */
  async function startTwo(): Promise<[NatsProcess, NatsProcess]> {
    const routes = [await freePort(), await freePort()];
    const cluster = (self: number, other: number) => ({
      args: [
        '--cluster_name',
        'test',
        '--cluster',
        `nats://127.0.0.1:${routes[self]}`,
        '--routes',
        `nats://127.0.0.1:${routes[other]}`,
      ],
    });
    return [await start(cluster(0, 1)), await start(cluster(1, 0))];
  }

  test('of several only one is named, and is killed: the others, of which it told, are used', async () => {
    const [first, second] = await startTwo();
    const one = await endpoints.start(first.url);
    const two = await endpoints.start(second.url);
    // The servers know each other.
    await one.ear.until('joined', two.backplane.self);
    await first.kill();
    await one.ear.until('reconnected');
    one.backplane.send(two.backplane.self, text('by the other'));
    await two.ear.untilText('by the other');
  });

  test('one of several is killed: the others are used', async () => {
    const [first, second] = await startTwo();
    const both = `${first.url},nats://127.0.0.1:${second.port}`;
    const timings = { ...fastTimings, joinQuietMilliseconds: 200 };
    const all = await Promise.all(Array.from({ length: 4 }, () => endpoints.start(both, { timings })));
    for (const one of all) {
      for (const other of all) if (other !== one) await one.ear.until('joined', other.backplane.self);
    }
    await first.kill();
    const words = (round: number, index: number) => `${round} from ${index}`;
    // Until what each sends is heard by each again: who was on the killed server connects to the other.
    const timer = setInterval(() => all.map(({ backplane }, index) => backplane.broadcast(text(words(1, index)))), 20);
    await Promise.all(
      all.map(({ ear }, own) =>
        Promise.all(all.map((_, index) => (index === own ? undefined : ear.untilText(words(1, index))))),
      ),
    );
    clearInterval(timer);
    for (const { ear } of all) expect(ear.count('left')).toBe(0);
  });
});
