import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { TestAuthority } from '@dunlin/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientCertificateOf, splitAltNames } from '../src/listeners/client-certificate.ts';

let authority: TestAuthority;
let stranger: TestAuthority;
beforeAll(async () => {
  [authority, stranger] = await Promise.all([TestAuthority.make(), TestAuthority.make('another')]);
});
afterAll(async () => {
  await Promise.all([authority.remove(), stranger.remove()]);
});

/** Certificate of a client as a server sees it that asks for one. */
async function seenBy(of: TestAuthority | null, commonName = '', subjectAltNames: string[] = []) {
  const files = await authority.issue('server');
  const pem = (file: string) => readFileSync(file);
  const server = createServer({
    cert: pem(files.cert),
    key: pem(files.key),
    ca: pem(authority.ca),
    requestCert: true,
    rejectUnauthorized: false,
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const own = of === null ? null : await of.issue(commonName, { subjectAltNames });
  const shown = own === null ? {} : { cert: pem(own.cert), key: pem(own.key) };
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  const client = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...shown });
  const [socket] = await accepted;
  const certificate = clientCertificateOf(socket);
  client.destroy();
  socket.destroy();
  server.close();
  return certificate;
}

test('name, other names and fingerprint of a verified certificate', async () => {
  const names = ['DNS:device-7.example', 'URI:spiffe://example/device-7', 'email:a@example.com', 'IP:192.0.2.1'];
  expect(await seenBy(authority, 'device-7', names)).toEqual({
    commonName: 'device-7',
    subjectAltNames: [...names.slice(0, 3), 'IP Address:192.0.2.1'],
    fingerprint: expect.stringMatching(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/),
    expiresAt: expect.any(Number),
    revocationName: expect.stringMatching(/^[\w-]{43}:[0-9a-f]+$/),
  });
});

test('several common names are none', async () => {
  expect(await seenBy(authority, 'device-7/CN=admin')).toMatchObject({ commonName: '' });
});

test('no certificate, and one that nobody vouches for, are none', async () => {
  expect(await seenBy(null)).toBeNull();
  expect(await seenBy(stranger, 'device-7')).toBeNull();
});

test('a name cannot pass for two', () => {
  expect(splitAltNames('DNS:a.example, DNS:"b.example, DNS:admin.example", URI:x:y')).toEqual([
    'DNS:a.example',
    'DNS:b.example, DNS:admin.example',
    'URI:x:y',
  ]);
  expect(splitAltNames('')).toEqual([]);
});
