/** Certificates of clients that are withdrawn, or expire, while a node runs. */

import { X509Certificate } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { type IssuedCertificate, TestAuthority, withDeadline } from '@dunlin/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CrlError, revocationName, revokedNames } from '../src/listeners/crl.ts';
import { SmallNode } from './support/small-node.ts';

let authority: TestAuthority;
let directory: string;
const closing: (() => unknown)[] = [];
beforeEach(async () => {
  authority = await TestAuthority.make();
  directory = mkdtempSync(join(tmpdir(), 'dunlin-crl-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await authority.remove();
  rmSync(directory, { recursive: true });
});

const nameIn = ({ cert }: IssuedCertificate): string => revocationName(new X509Certificate(readFileSync(cert)).raw);

let clients = 0;
/** CONNECT of MQTT 3.1.1 with a clean session and a client identifier of its own. */
const connectBytes = (): Buffer => {
  clients += 1;
  return Buffer.from([0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 1, 0x60 + clients]);
};

interface Client {
  socket: TLSSocket;
  /** Resolves with what came first: `connack`, or `closed`. */
  answer: Promise<string>;
  closed: Promise<void>;
}

function dial(node: SmallNode, { cert, key }: IssuedCertificate, session?: Buffer): Client {
  const address = node.node.addresses.find(({ kind }) => kind === 'tls');
  if (address === undefined || address.kind === 'unix') throw new TypeError('no listener with TLS');
  const own = { cert: readFileSync(cert), key: readFileSync(key), maxVersion: 'TLSv1.2' as const, session };
  const socket = connectTls({ port: address.port, host: '127.0.0.1', rejectUnauthorized: false, ...own });
  closing.push(() => socket.destroy());
  socket.on('error', () => undefined);
  socket.on('secureConnect', () => socket.write(connectBytes()));
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  const answered = new Promise<string>((resolve) =>
    socket.on('data', (bytes) => resolve(bytes[0] === 0x20 ? 'connack' : 'else')),
  );
  return { socket, closed, answer: Promise.race([answered, closed.then(() => 'closed')]) };
}

test('lists name the certificates that are withdrawn, and no others', async () => {
  const [one, other] = [await authority.issue('one'), await authority.issue('other')];
  const stranger = await TestAuthority.make('another authority');
  closing.push(() => stranger.remove());
  expect([...revokedNames(readFileSync(await authority.crl([]), 'utf8'))]).toEqual([]);
  const text = readFileSync(await authority.crl([one]), 'utf8') + readFileSync(await stranger.crl([]), 'utf8');
  const revoked = revokedNames(text);
  expect(revoked.size).toBe(1);
  expect([nameIn(one), nameIn(other)].map((name) => revoked.has(name))).toEqual([true, false]);
  const [block] = text.match(/[A-Za-z0-9+/=\s]{100,}(?=-----END)/) ?? [''];
  const cut = Buffer.from(block, 'base64').subarray(0, 90).toString('base64');
  expect(() => revokedNames(`-----BEGIN X509 CRL-----\n${cut}\n-----END X509 CRL-----\n`)).toThrow(CrlError);
});

test('a withdrawn certificate ends its connection within ten seconds and is refused from then on; others stay', {
  timeout: 60_000,
}, async () => {
  const server = await authority.issue('server');
  const [thief, gauge] = [await authority.issue('thief'), await authority.issue('gauge')];
  const crl = join(directory, 'crl.pem');
  copyFileSync(await authority.crl([]), crl);
  const url = `tls://127.0.0.1:0?cert=${server.cert}&key=${server.key}&clientCa=${authority.ca}&clientCrl=${crl}`;
  const node = await SmallNode.start({ listeners: `tcp://127.0.0.1:0,${url}` });
  closing.push(() => node.stop());
  const [first, second] = [dial(node, thief), dial(node, gauge)];
  expect(await Promise.all([first.answer, second.answer])).toEqual(['connack', 'connack']);
  const ticket = first.socket.getSession();
  copyFileSync(await authority.crl([thief]), crl);
  await withDeadline(first.closed, () => 'the connection did not end', 10_000);
  expect(await dial(node, thief).answer).toBe('closed');
  expect(await dial(node, thief, ticket).answer).toBe('closed');
  expect(await dial(node, gauge).answer).toBe('connack');
  expect(second.socket.destroyed).toBe(false);
});
