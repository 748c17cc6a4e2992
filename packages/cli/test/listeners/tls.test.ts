import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { encodePacket } from '@dunlin/protocol';
import {
  ackPacket,
  connectPacket,
  type IssuedCertificate,
  MosquittoSub,
  mosquittoPub,
  publishPacket,
  subscribePacket,
  TestAuthority,
  withDeadline,
} from '@dunlin/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../command.ts';
import { ListenerNode } from './listener-node.ts';
import { fateOf, openTls, shownCertificate } from './tls-client.ts';

const connectBytes = encodePacket(connectPacket({ version: 4, clientId: 'someone' }), 4);
const url = 'tls://127.0.0.1:0';

let authority: TestAuthority;
let stranger: TestAuthority;
let server: IssuedCertificate;
let node: ListenerNode | null = null;
beforeAll(async () => {
  authority = await TestAuthority.make();
  stranger = await TestAuthority.make('another authority');
  server = await authority.issue('server');
});
afterAll(async () => {
  await Promise.all([authority.remove(), stranger.remove()]);
});
afterEach(async () => {
  await node?.stop();
  node = null;
});

async function start(...parameters: Parameters<typeof ListenerNode.start>): Promise<ListenerNode> {
  node = await ListenerNode.start(...parameters);
  return node;
}

const pem = ({ cert, key }: IssuedCertificate) => ({ cert: readFileSync(cert), key: readFileSync(key) });

test('mosquitto_pub and mosquitto_sub, who check the certificate', async () => {
  const { port } = await start([`${url}?cert=${server.cert}&key=${server.key}`]).then((listening) => ({
    port: listening.port(0),
  }));
  const target = `mqtt://localhost:${port}`;
  const subscriber = await MosquittoSub.start(target, ['--cafile', authority.ca, '-t', 'a/b', '-V', '5']);
  const published = await mosquittoPub(target, ['--cafile', authority.ca, '-t', 'a/b', '-m', 'over TLS', '-q', '1']);
  expect(published).toMatchObject({ exitCode: 0 });
  expect(await subscriber.nextLine()).toBe('over TLS');
  await subscriber.stop();
  const refused = await mosquittoPub(target, ['--cafile', stranger.ca, '-t', 'a/b', '-m', 'no']);
  expect(refused.exitCode).not.toBe(0);
});

test('messages of every size arrive whole, also where many bytes wait', async () => {
  const listening = await start([{ url, ...server }]);
  const [one, two] = [await listening.connect(0, 'one'), await listening.connect(0, 'two')];
  one.send(subscribePacket({ filter: 'size/#', qos: 1 }));
  await one.expect('suback');
  const sizes = [0, 1, 100, 16_000, 16_384, 70_000, 900_000, 900_000];
  for (const [index, size] of sizes.entries()) {
    const payload = Buffer.alloc(size, `${index}`);
    two.send(publishPacket({ topic: `size/${index}`, payload, qos: 1 }));
    await two.expect('puback');
  }
  for (const [index, size] of sizes.entries()) {
    const message = await one.expectPacket({ type: 'publish', topic: `size/${index}` });
    expect(Buffer.compare(message.payload, Buffer.alloc(size, `${index}`))).toBe(0);
    one.send(ackPacket('puback', message.packetId));
  }
});

describe('versions', () => {
  test('1.2 and 1.3 are spoken, 1.1 is not', async () => {
    const listening = await start([{ url, ...server }]);
    const negotiated = async (version: 'TLSv1.2' | 'TLSv1.3') => {
      const socket = await openTls(listening.port(0), { minVersion: version, maxVersion: version });
      const protocol = socket.getProtocol();
      socket.destroy();
      return protocol;
    };
    expect(await negotiated('TLSv1.2')).toBe('TLSv1.2');
    expect(await negotiated('TLSv1.3')).toBe('TLSv1.3');
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(openTls(listening.port(0), old)).rejects.toThrow(/protocol version|alert/i);
  });

  test('1.3 alone where it is the oldest', async () => {
    const listening = await start([{ url, ...server, minimumTlsVersion: '1.3' }]);
    await expect(openTls(listening.port(0), { maxVersion: 'TLSv1.2' })).rejects.toThrow(/protocol version|alert/i);
    (await openTls(listening.port(0))).destroy();
  });
});

test('the certificate is the one of the host that the client asks for', async () => {
  const certificates = [
    server,
    await authority.issue('a', { subjectAltNames: ['DNS:a.example', 'DNS:www.a.example'] }),
    await authority.issue('wildcard', { subjectAltNames: ['DNS:*.b.example'] }),
    await authority.issue('c.example', { subjectAltNames: [] }),
  ];
  const { port } = await start([{ url, certificates }]).then((listening) => ({ port: listening.port(0) }));
  expect(await shownCertificate(port)).toBe('server');
  expect(await shownCertificate(port, 'unknown.example')).toBe('server');
  expect(await shownCertificate(port, 'a.example')).toBe('a');
  expect(await shownCertificate(port, 'WWW.a.example')).toBe('a');
  expect(await shownCertificate(port, 'x.b.example')).toBe('wildcard');
  expect(await shownCertificate(port, 'x.y.b.example')).toBe('server');
  expect(await shownCertificate(port, 'b.example')).toBe('server');
  expect(await shownCertificate(port, 'c.example')).toBe('c.example');
});

describe("clients' certificates", () => {
  test('required: only those of the authority', async () => {
    const [ours, theirs] = [await authority.issue('device-7'), await stranger.issue('device-7')];
    const names = ['a', 'b'].map((name) => authority.issue(name, { subjectAltNames: [`DNS:${name}.example`] }));
    const certificates = await Promise.all(names);
    const listening = await start([
      { url, ...server, clientCa: authority.ca, clientCertificates: 'require' },
      { url, certificates, clientCa: authority.ca },
    ]);
    for (const index of [0, 1]) {
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        const fate = (more: object) =>
          fateOf(
            listening.port(index),
            { minVersion: version, maxVersion: version, servername: 'b.example', ...more },
            connectBytes,
          );
        expect(await fate(pem(ours))).toBe('accepted');
        expect(await fate(pem(theirs))).toBe('refused');
        expect(await fate({})).toBe('refused');
      }
    }
  });

  test('requested: none is right, one of another authority is not', async () => {
    const [ours, theirs] = [await authority.issue('device-7'), await stranger.issue('device-7')];
    const listening = await start([{ url, ...server, clientCa: authority.ca, clientCertificates: 'request' }]);
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const fate = (more: object) =>
        fateOf(listening.port(0), { minVersion: version, maxVersion: version, ...more }, connectBytes);
      expect(await fate(pem(ours))).toBe('accepted');
      expect(await fate({})).toBe('accepted');
      expect(await fate(pem(theirs))).toBe('refused');
    }
  });
});

describe('resumption', () => {
  /** Enough that all of them on one of two workers would be a chance of one in a million. */
  const attempts = 20;

  /** Session ticket that lets a client come back, and whether each of its returns was short. */
  async function returns(port: number, version: 'TLSv1.2' | 'TLSv1.3', back = port): Promise<boolean[]> {
    const versions = { minVersion: version, maxVersion: version };
    const first = await openTls(port, versions);
    const session = await sessionOf(first);
    first.destroy();
    const reused: boolean[] = [];
    for (let attempt = 0; attempt < attempts; attempt++) {
      const socket = await openTls(back, { ...versions, session });
      reused.push(socket.isSessionReused());
      socket.destroy();
    }
    return reused;
  }

  /** The ticket of TLS 1.3 comes after the handshake. */
  async function sessionOf(socket: TLSSocket): Promise<Buffer> {
    if (socket.getProtocol() === 'TLSv1.2') return socket.getSession() as Buffer;
    const [session] = await withDeadline(once(socket, 'session'), () => 'no ticket came');
    return session;
  }

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s: on whichever worker', async (version) => {
    const listening = await start([{ url, ...server }], ['--workers', '2']);
    expect(await returns(listening.port(0), version)).toEqual(Array(attempts).fill(true));
  });

  test('with several certificates, too', async () => {
    const certificates = [server, await authority.issue('a', { subjectAltNames: ['DNS:a.example'] })];
    const listening = await start([{ url, certificates }], ['--workers', '2']);
    expect(await returns(listening.port(0), 'TLSv1.3')).toEqual(Array(attempts).fill(true));
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s: a ticket of one listener does not open another', async (version) => {
    const listening = await start([
      { url, ...server },
      { url, ...server, clientCa: authority.ca, clientCertificates: 'require' },
      { url, ...server },
    ]);
    expect(await returns(listening.port(0), version, listening.port(2))).toEqual(Array(attempts).fill(false));
    const first = await openTls(listening.port(0), { minVersion: version, maxVersion: version });
    const session = await sessionOf(first);
    first.destroy();
    const options = { session, minVersion: version, maxVersion: version };
    expect(await fateOf(listening.port(1), options, connectBytes)).toBe('refused');
  });

  test('not where it is off', async () => {
    const listening = await start([{ url, ...server, sessionResumption: false }]);
    const first = await openTls(listening.port(0), { maxVersion: 'TLSv1.2' });
    const session = first.getSession();
    first.destroy();
    const again = await openTls(listening.port(0), { maxVersion: 'TLSv1.2', session });
    expect(again.isSessionReused()).toBe(false);
    again.destroy();
  });
});

describe('SIGHUP', () => {
  test('new connections see the new certificate, on every worker; the old ones stay', async () => {
    const [before, after] = [await authority.issue('before'), await authority.issue('after')];
    const files = { cert: join(authority.directory, 'live.pem'), key: join(authority.directory, 'live.key') };
    copyFileSync(before.cert, files.cert);
    copyFileSync(before.key, files.key);
    const listening = await start([{ url, ...files }], ['--workers', '2']);
    const port = listening.port(0);
    const client = await listening.connect(0, 'stays');
    expect(await shownCertificate(port)).toBe('before');
    copyFileSync(after.cert, files.cert);
    copyFileSync(after.key, files.key);
    await listening.reload('"event":"certificates.reloaded"');
    // A worker hears of it a moment after the line was written, at the latest before it answers a question that was asked later.
    while ((await shownCertificate(port)) !== 'after');
    const shown = await Promise.all(Array.from({ length: 10 }, () => shownCertificate(port)));
    expect([...new Set(shown)]).toEqual(['after']);
    await client.expectNothing();
    await client.drop();
  });

  test('other files and more of them are taken over, anything else is not', async () => {
    const listening = await start([{ url, ...server }]);
    const certificates = [
      await authority.issue('first'),
      await authority.issue('a', { subjectAltNames: ['DNS:a.example'] }),
    ];
    listening.reconfigure([{ url, certificates }]);
    await listening.reload('"event":"certificates.reloaded"');
    expect(listening.broker.output).not.toContain('next start only');
    while ((await shownCertificate(listening.port(0), 'a.example')) !== 'a');
    expect(await shownCertificate(listening.port(0))).toBe('first');
    listening.reconfigure([{ url, certificates, minimumTlsVersion: '1.3' }]);
    await listening.reload('configuration.start-needed');
  });

  test('a broken file changes nothing and is one line in the log', async () => {
    const files = { cert: join(authority.directory, 'live.pem'), key: join(authority.directory, 'live.key') };
    copyFileSync(server.cert, files.cert);
    copyFileSync(server.key, files.key);
    const listening = await start([{ url, ...files }]);
    writeFileSync(files.cert, 'half a certif');
    await listening.reload('configuration.reload-failed');
    const [line, ...more] = listening.broker.log().filter(({ level }) => level === 'error');
    expect(more).toEqual([]);
    expect(JSON.stringify(line)).toContain(`the file ${files.cert} holds no certificate in PEM`);
    expect(await shownCertificate(listening.port(0))).toBe('server');
  });
});

test('a file that cannot be used is told with its place, and the start refused', async () => {
  const key = join(authority.directory, 'wrong.key');
  copyFileSync((await authority.issue('somebody else')).key, key);
  const { code, errors } = await run(['start', '--listener', `tls://127.0.0.1:0?cert=${server.cert}&key=${key}`]);
  expect(code).not.toBe(0);
  expect(errors).toContain(
    `flag --listener: listeners[0].key: the key in ${key} does not belong to the certificate in ${server.cert}`,
  );
});

test('a handshake that does not come to an end is ended, and what fails is told; a probe that only connects is no failure', async () => {
  const listening = await start([{ url, ...server, handshakeTimeoutSeconds: 1 }]);
  const probe = connect(listening.port(0), '127.0.0.1', () => probe.end());
  probe.resume();
  await once(probe, 'close');
  const silent = connect(listening.port(0), '127.0.0.1');
  const plain = connect(listening.port(0), '127.0.0.1');
  plain.on('error', () => undefined); // a reset is an end as well
  plain.write(connectBytes);
  await Promise.all([once(silent, 'close'), once(plain, 'close')]);
  await listening.broker.until('ERR_TLS_HANDSHAKE_TIMEOUT');
  const failed = listening.broker.log().filter(({ event }) => event === 'handshake.failed');
  expect(failed).toHaveLength(2);
  expect(failed[0]).toMatchObject({
    level: 'info',
    listener: url,
    address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    reason: expect.stringMatching(/^these bytes are not TLS, which this listener requires/),
  });
  await (await listening.connect(0)).drop();
});

test("a client's certificate that is missing, or of another authority, is told with the client's address", async () => {
  const other = await TestAuthority.make();
  const { cert, key } = await other.issue('stranger');
  const stranger = { cert: readFileSync(cert), key: readFileSync(key) };
  const listening = await start([{ url, ...server, clientCertificates: 'require', clientCa: authority.ca }]);
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    expect(await fateOf(listening.port(0), { maxVersion }, connectBytes)).toBe('refused');
    expect(await fateOf(listening.port(0), { maxVersion, ...stranger }, connectBytes)).toBe('refused');
  }
  expect(await fateOf(listening.port(0), { ca: readFileSync(other.ca), rejectUnauthorized: true }, connectBytes)).toBe(
    'refused',
  );
  other.remove();
  await listening.broker.until('the client went away within the handshake');
  const none = 'no client certificate, and this listener requires one';
  const wrong = "the client's certificate is not of an authority in clientCa, or has expired";
  const told = listening.broker.log().filter(({ event }) => event === 'handshake.failed');
  expect(told.map(({ reason }) => String(reason).split(' (')[0]).slice(0, 4)).toEqual([none, wrong, none, wrong]);
  for (const line of told)
    expect(line).toMatchObject({ level: 'info', address: expect.stringMatching(/^127\.0\.0\.1:\d+$/) });
});

test('connections over the limit of a listener are closed at once', async () => {
  const listening = await start([{ url, ...server, connectionsMax: 2 }, 'tcp://127.0.0.1:0']);
  const clients = [await listening.connect(0, 'one'), await listening.connect(0, 'two')];
  await expect(openTls(listening.port(0))).rejects.toThrow();
  await listening.broker.until('"event":"listener.refused"');
  await listening.connect(1, 'elsewhere').then((client) => client.drop());
  await Promise.all(clients.map((client) => client.drop()));
});
