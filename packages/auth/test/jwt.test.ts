import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Attempts } from '../src/fair/attempts.ts';
import { Jwks } from '../src/jwks.ts';
import { Jwt, type JwtOptions } from '../src/jwt.ts';
import { parseKeyFile, parseSecretFile, type VerificationKey } from '../src/jwt-keys.ts';
import { credentials, Notebook, StillClock } from './credentials.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const edwards = generateKeyPairSync('ed25519');
const rsaPem = rsa.publicKey.export({ type: 'spki', format: 'pem' }) as string;
const pem = [rsaPem, ec.publicKey.export({ type: 'spki', format: 'pem' }) as string].join('\n');
const secret = 'a secret that is long enough for HS256';

const clock = new StillClock();
const seconds = Math.floor(clock.now() / 1000);
const keysOf = (text: string) => parseKeyFile({ name: 'keys', text });
const plain: JwtOptions = {
  field: 'password',
  issuer: '',
  audience: '',
  leewaySeconds: 5,
  lifetimeMaxSeconds: 0,
  userNameClaim: 'sub',
  rulesClaim: 'acl',
  claims: new Map(),
};

function jwt(options: Partial<JwtOptions> = {}, keys: VerificationKey[] = keysOf(pem), jwks: Jwks | null = null): Jwt {
  return new Jwt({ ...plain, ...options }, keys, jwks, new Attempts(clock), clock);
}

const payload = (more: JWTPayload = {}): JWTPayload => ({ sub: 'ann', exp: seconds + 60, ...more });

function signed(
  claims: JWTPayload = payload(),
  header: { alg: string; kid?: string } = { alg: 'RS256' },
  key: Parameters<SignJWT['sign']>[0] = rsa.privateKey,
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader(header).sign(key);
}

const enter = async (method: Jwt, password: string | null, more = {}) =>
  method.authenticate(credentials({ userName: 'somebody', password, ...more }));

test('a token may be valid for as long as jwt.lifetimeMaxSeconds, and no longer', async () => {
  const method = jwt({ lifetimeMaxSeconds: 3600 });
  const until = async (exp: number) => enter(method, await signed(payload({ exp })));
  expect(await until(seconds + 3605)).toMatchObject({ kind: 'accept' });
  expect(await until(seconds + 3606)).toEqual({
    kind: 'refuse',
    reason: 'the token ends in 3606 s; jwt.lifetimeMaxSeconds allows 3600',
  });
  expect(await until(253_402_300_799)).toMatchObject({ kind: 'refuse' }); // the year 9999
  expect(await enter(jwt(), await signed(payload({ exp: 253_402_300_799 })))).toMatchObject({ kind: 'accept' });
});

describe('tokens that are good', () => {
  test.each([
    ['RS256', rsa.privateKey],
    ['PS512', rsa.privateKey],
    ['ES256', ec.privateKey],
  ])('%s', async (alg, key) => {
    expect(await enter(jwt(), await signed(payload(), { alg }, key))).toEqual({
      kind: 'accept',
      userName: 'ann',
      expiresAt: (seconds + 65) * 1000,
    });
  });

  test('Ed25519 and a JWK with an identifier', async () => {
    const jwk = { ...edwards.publicKey.export({ format: 'jwk' }), kid: 'k1' };
    const method = jwt({}, keysOf(JSON.stringify({ keys: [jwk] })));
    expect(await enter(method, await signed(payload(), { alg: 'EdDSA', kid: 'k1' }, edwards.privateKey))).toMatchObject(
      {
        kind: 'accept',
      },
    );
    expect(await enter(method, await signed(payload(), { alg: 'EdDSA', kid: 'k2' }, edwards.privateKey))).toMatchObject(
      {
        kind: 'refuse',
      },
    );
  });

  test('HS256 with a secret', async () => {
    const method = jwt({}, [parseSecretFile({ name: 'secret', text: `${secret}\n` })]);
    expect(await enter(method, await signed(payload(), { alg: 'HS256' }, Buffer.from(secret)))).toMatchObject({
      kind: 'accept',
    });
  });

  test('in the user name, under another claim', async () => {
    const method = jwt({ field: 'user-name', userNameClaim: 'device' });
    const token = await signed(payload({ device: 'd7' }));
    expect(await method.authenticate(credentials({ userName: token }))).toMatchObject({ userName: 'd7' });
  });

  test('with rules, in both forms', async () => {
    const lists = await enter(jwt(), await signed(payload({ acl: { publish: ['a/%c'], subscribe: [] } })));
    expect(lists).toMatchObject({ rules: [{ allows: true, publish: true, subscribe: false }] });
    const list = await enter(jwt(), await signed(payload({ acl: [{ deny: 'all', topics: 'a' }] })));
    expect(list).toMatchObject({ rules: [{ allows: false }] });
    expect(await enter(jwt({ rulesClaim: '' }), await signed(payload({ acl: 'x' })))).not.toHaveProperty('rules');
  });
});

describe('every way in that is closed', () => {
  const flip = (token: string, part: number): string => {
    const parts = token.split('.');
    const at = Math.floor(parts[part].length / 2);
    parts[part] = parts[part].slice(0, at) + (parts[part][at] === 'A' ? 'B' : 'A') + parts[part].slice(at + 1);
    return parts.join('.');
  };

  const cases: [title: string, options: Partial<JwtOptions>, token: () => Promise<string> | string][] = [
    ['expired', {}, () => signed(payload({ exp: seconds - 6 }))],
    ['without an end', {}, () => signed({ sub: 'ann' })],
    ['not yet valid', {}, () => signed(payload({ nbf: seconds + 6 }))],
    ['for another audience', { audience: 'dunlin' }, () => signed(payload({ aud: 'billing' }))],
    ['for no audience', { audience: 'dunlin' }, () => signed()],
    ['of another issuer', { issuer: 'us' }, () => signed(payload({ iss: 'them' }))],
    ['alg none', {}, () => new UnsecuredJWT(payload()).encode()],
    ['HS256 with the public key as the secret', {}, () => signed(payload(), { alg: 'HS256' }, Buffer.from(rsaPem))],
    ['a kid that is not known', {}, async () => signed(payload(), { alg: 'ES384', kid: 'x' }, otherEc)],
    ['signed by somebody else', {}, () => signed(payload(), { alg: 'RS256' }, otherRsa)],
    ['with a signature that was changed', {}, async () => flip(await signed(), 2)],
    ['with claims that were changed', {}, async () => flip(await signed(), 1)],
    ['without its signature', {}, async () => `${(await signed()).split('.').slice(0, 2).join('.')}.`],
    ['of another client', { claims: new Map([['client', '%c']]) }, () => signed(payload({ client: 'd' }))],
    ['of no client', { claims: new Map([['client', '%c']]) }, () => signed()],
    ['of another user name', { claims: new Map([['sub', '%u']]) }, () => signed()],
    ['without a name', {}, () => signed({ exp: seconds + 60 })],
    ['with an empty name', {}, () => signed(payload({ sub: '' }))],
    ['with rules that are none', {}, () => signed(payload({ acl: { publish: ['a/#/b'] } }))],
    ['longer than it may be', {}, () => signed(payload({ padding: 'x'.repeat(20_000) }))],
  ];
  const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const otherEc = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;

  test.each(cases)('a token %s', async (_title, options, token) => {
    expect(await enter(jwt(options), await token())).toMatchObject({ kind: 'refuse' });
  });

  test.each([null, '', 'pass', 'a.b', 'a.b.c', '....', 'é.é.é'])(
    'what is no token is left to others: %s',
    async (text) => {
      expect(await enter(jwt(), text)).toEqual({ kind: 'not-mine' });
    },
  );

  test('claims that match let in', async () => {
    const claims = new Map([
      ['client', '%c'],
      ['sub', '%u'],
      ['site', 'north'],
    ]);
    const token = await signed(payload({ client: 'c', sub: 'somebody', site: 'north' }));
    expect(await enter(jwt({ claims }), token)).toMatchObject({ kind: 'accept', userName: 'somebody' });
  });
});

describe('key files', () => {
  const privatePem = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ type: 'spki', format: 'pem' });
  test.each([
    ['nothing', '', 'neither PEM nor JSON'],
    ['a private key', privatePem, 'a private key'],
    ['a short key', short as string, 'less than 2048 bits'],
    ['a secret', JSON.stringify({ kty: 'oct', k: 'AAAA' }), 'a secret among public keys'],
    ['an empty set', '{"keys":[]}', 'no key'],
    [
      'another kind',
      generateKeyPairSync('x25519').publicKey.export({ type: 'spki', format: 'pem' }) as string,
      'x25519',
    ],
    [
      'an algorithm of another kind',
      JSON.stringify({ ...ec.publicKey.export({ format: 'jwk' }), alg: 'RS256' }),
      'RS256',
    ],
    ['a broken PEM', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', 'no public key'],
  ])('%s', (_title, text, message) => {
    expect(() => keysOf(text)).toThrow(message);
  });

  test('a secret that is too short', () => {
    expect(() => parseSecretFile({ name: 'secret', text: 'short' })).toThrow('secret:1:1: a secret of 5 bytes');
    expect(() => parseSecretFile({ name: 'secret', text: randomBytes(16).toString('hex') })).not.toThrow();
  });
});

describe('keys at an address', () => {
  let server: Server;
  let answer: { status: number; body: string };
  let asked = 0;
  let authorization: string | undefined;
  let url = '';
  const set = (...kids: string[]): string =>
    JSON.stringify({ keys: kids.map((kid) => ({ ...rsa.publicKey.export({ format: 'jwk' }), kid, use: 'sig' })) });

  beforeEach(async () => {
    asked = 0;
    answer = { status: 200, body: set('one') };
    server = createServer((request, response) => {
      asked++;
      authorization = request.headers.authorization;
      response.writeHead(answer.status).end(answer.body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const token = (kid: string) => signed(payload({ exp: seconds + 100_000 }), { alg: 'RS256', kid });

  test('are fetched once, again for a key that is not known, and no more often than that', async () => {
    const jwks = new Jwks(url, clock, new Notebook());
    const method = jwt({}, [], jwks);
    expect(await enter(method, await token('one'))).toMatchObject({ kind: 'accept' });
    expect(await enter(method, await token('one'))).toMatchObject({ kind: 'accept' });
    expect(asked).toBe(1);
    answer.body = set('one', 'two');
    expect(await enter(method, await token('two'))).toMatchObject({ kind: 'refuse' });
    expect(asked).toBe(1);
    clock.milliseconds += 31_000;
    expect(await enter(method, await token('two'))).toMatchObject({ kind: 'accept' });
    expect(await enter(method, await token('three'))).toMatchObject({ kind: 'refuse' });
    expect(asked).toBe(2);
  });

  test('a key that was withdrawn is forgotten after a while', async () => {
    const jwks = new Jwks(url, clock, new Notebook());
    const method = jwt({}, [], jwks);
    expect(await enter(method, await token('one'))).toMatchObject({ kind: 'accept' });
    answer.body = set('two');
    clock.milliseconds += 601_000;
    await enter(method, await token('one'));
    await jwks.refresh();
    expect(await enter(method, await token('one'))).toMatchObject({ kind: 'refuse' });
  });

  test('while the address is away, known keys go on, and of others nothing can be told', async () => {
    const notebook = new Notebook();
    const method = jwt({}, [], new Jwks(url, clock, notebook));
    answer.status = 503;
    expect(await enter(method, await token('one'))).toMatchObject({ kind: 'cannot-tell' });
    answer.status = 200;
    clock.milliseconds += 2000;
    expect(await enter(method, await token('one'))).toMatchObject({ kind: 'accept' });
    answer = { status: 200, body: 'x'.repeat(300_000) };
    clock.milliseconds += 31_000;
    expect(await enter(method, await token('two'))).toMatchObject({ kind: 'cannot-tell' });
    expect(await enter(method, await token('one'))).toMatchObject({ kind: 'accept' });
    expect(
      notebook.lines.filter((line) => line.startsWith('the keys for tokens (JWKS) cannot be fetched')).length,
    ).toBe(2);
  });

  /** Seen to fail before: `fetch` takes no address with a password in it, and the log had all of it, twice. */
  test('a user and a password in the address let in, and neither they nor its query are in the log', async () => {
    const notebook = new Notebook();
    const address = `${url.replace('//', '//user:hunter2%21@')}?token=hunter2`;
    const method = jwt({}, [], new Jwks(address, clock, notebook));
    expect(await enter(method, await token('one'))).toMatchObject({ kind: 'accept' });
    expect(authorization).toBe(`Basic ${Buffer.from('user:hunter2!').toString('base64')}`);
    answer.status = 503;
    clock.milliseconds += 31_000;
    await enter(method, await token('two'));
    answer.status = 200;
    clock.milliseconds += 31_000;
    await enter(method, await token('two'));
    expect(notebook.lines).toEqual([
      expect.stringContaining(`cannot be fetched; the keys that are known stay in use {"url":"${url}"`),
      `the keys for tokens (JWKS) can be fetched again {"url":"${url}"}`,
    ]);
    expect(notebook.lines.join()).not.toContain('hunter2');
  });

  test('secrets and keys for other uses at an address are not taken', async () => {
    const oct = { kty: 'oct', kid: 'one', k: Buffer.from(secret).toString('base64url'), alg: 'HS256' };
    const encryption = { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'one', use: 'enc' };
    answer.body = JSON.stringify({ keys: [oct, encryption] });
    const method = jwt({}, [], new Jwks(url, clock, new Notebook()));
    const forged = await signed(payload({ exp: seconds + 100_000 }), { alg: 'HS256', kid: 'one' }, Buffer.from(secret));
    expect((await enter(method, forged)).kind).not.toBe('accept');
  });
});
