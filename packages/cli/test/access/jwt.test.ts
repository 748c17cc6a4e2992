import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Dunlin, startBroker } from '../command.ts';
import { answerTo, enter, leave, publish, subscribe } from './entering.ts';

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
const refused = 0x87;

let directory: string;
let broker: Dunlin;
let url: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-jwt-'));
  const file = join(directory, 'key.pem');
  writeFileSync(file, pem);
  const keys = [`jwt.keyFile=${file}`, 'jwt.audience=dunlin', 'jwt.leewaySeconds=0', 'jwt.claims=client=%c'];
  const started = await startBroker(['--workers', '1', ...keys.flatMap((key) => ['--set', key])]);
  broker = started.broker;
  url = `mqtt://127.0.0.1:${started.port}`;
});
afterAll(async () => {
  await leave();
  broker.child.kill('SIGKILL');
  await broker.finished;
  rmSync(directory, { recursive: true });
});

/** A token signed by hand, good unless a claim says otherwise. */
function token(claims: object = {}, header: object = { alg: 'RS256' }, signer = rsa): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const seconds = Math.floor(Date.now() / 1000);
  const signed = `${encode(header)}.${encode({ sub: 'ann', aud: 'dunlin', client: 'c', exp: seconds + 600, ...claims })}`;
  return `${signed}.${signer(signed)}`;
}

function rsa(signed: string): string {
  return sign('sha256', Buffer.from(signed), privateKey).toString('base64url');
}

const now = Math.floor(Date.now() / 1000);

test.each([
  ['good', () => token(), 0],
  ['expired', () => token({ exp: now - 1 }), refused],
  ['not yet valid', () => token({ nbf: now + 3600 }), refused],
  ['for another audience', () => token({ aud: 'other' }), refused],
  ['of another client', () => token({ client: 'd' }), refused],
  ['of alg none', () => token({}, { alg: 'none' }, () => ''), refused],
  [
    'of HS256 signed with the public key',
    () => token({}, { alg: 'HS256' }, (signed) => createHmac('sha256', pem).update(signed).digest('base64url')),
    refused,
  ],
  ['tampered with', () => token().replace(/.{10}$/, 'AAAAAAAAAA'), refused],
] as const)('a token that is %s', async (_title, make, reasonCode) => {
  expect(await answerTo(url, { userName: 'x', password: make() })).toBe(reasonCode);
  expect(await answerTo(url, { userName: 'x', password: make(), version: 4 })).toBe(reasonCode === 0 ? 0 : 5);
});

test('the connection ends with the token', async () => {
  const exp = Math.floor(Date.now() / 1000) + 2;
  const five = await enter(url, { password: token({ exp }) });
  const three = await enter(url, { userName: 'x', password: token({ exp, client: 'd' }), clientId: 'd', version: 4 });
  await five.expectPacket({ type: 'disconnect', reasonCode: 0xa0 }, 15_000);
  expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
  await three.expectClosed(15_000);
});

test('rules in the token', async () => {
  const acl = { publish: ['out/%c'], subscribe: ['in/%u/#'] };
  const wire = await enter(url, { password: token({ acl }) });
  expect(await subscribe(wire, 'in/ann/+')).toBe(0);
  expect(await subscribe(wire, '#')).toBe(refused);
  expect(await publish(wire, 'out/c')).not.toBe(refused);
  expect(await publish(wire, 'in/ann/x')).toBe(refused);
});

test('MQTT.js', async () => {
  const options = { clientId: 'c', username: 'whoever', reconnectPeriod: 0, protocolVersion: 4 as const };
  const client = await connectAsync(url, { ...options, password: token() });
  await client.endAsync();
  await expect(connectAsync(url, { ...options, password: token({ exp: 1 }) })).rejects.toMatchObject({ code: 5 });
});
