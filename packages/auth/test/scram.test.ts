import type { AuthenticationResult } from '@dunlin/broker';
import { describe, expect, test } from 'vitest';
import { Attempts } from '../src/fair/attempts.ts';
import { PasswordFile, parsePasswordFile } from '../src/password-file.ts';
import { parsePasswordHash, verifyPassword } from '../src/password-hash.ts';
import { ScramExchange } from '../src/scram/scram-exchange.ts';
import { scramUsersOf } from '../src/scram/scram-users.ts';
import { hmac, makeScramVerifier, parseScramVerifier, prepared, scramKeys } from '../src/scram/scram-verifier.ts';
import { credentials, StillClock } from './credentials.ts';

// The conversation of RFC 7677, section 3: user "user", password "pencil".
const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
const clientNonce = 'rOprNGfwEbeRWgbNEkqO';
const serverNonce = '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
const proof = 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=';
const signature = '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=';

async function usersOfRfc(): Promise<Map<string, string>> {
  const { storedKey, serverKey } = await scramKeys(Buffer.from('pencil'), salt, 4096);
  const text = (bytes: Buffer) => bytes.toString('base64');
  return new Map([['user', `SCRAM-SHA-256$4096:${text(salt)}$${text(storedKey)}:${text(serverKey)}`]]);
}

const nobody = credentials({ userName: null });

async function begin(given = nobody): Promise<ScramExchange> {
  const users = scramUsersOf(await usersOfRfc());
  if (users === null) throw new TypeError('no verifier');
  return new ScramExchange(users, given, serverNonce);
}

const say = (exchange: ScramExchange, text: string) => exchange.step(Buffer.from(text));
const heard = (result: AuthenticationResult) => ('data' in result ? String(result.data) : result.kind);
const first = `n,,n=user,r=${clientNonce}`;
const final = `c=biws,r=${clientNonce}${serverNonce},p=${proof}`;

describe('SCRAM-SHA-256', () => {
  test('the conversation of RFC 7677', async () => {
    const exchange = await begin();
    expect(heard(await say(exchange, first))).toBe(
      `r=${clientNonce}${serverNonce},s=${salt.toString('base64')},i=4096`,
    );
    expect(await say(exchange, final)).toEqual({
      kind: 'accept',
      userName: 'user',
      data: Buffer.from(`v=${signature}`),
    });
  });

  test.each([
    ['nothing', '', 'no text'],
    ['channel binding', `p=tls-exporter,,n=user,r=${clientNonce}`, 'channel binding is not supported'],
    ['an authorization identity', `n,a=admin,n=user,r=${clientNonce}`, 'is not n,,n=NAME,r=NONCE'],
    ['an extension that must be understood', `n,,m=x,n=user,r=${clientNonce}`, 'is not n,,n=NAME,r=NONCE'],
    ['a short nonce', 'n,,n=user,r=short', 'fewer than 8'],
    ['a name with an equals sign', `n,,n=us=er,r=${clientNonce}`, 'a name in which ='],
    ['too much', `n,,n=${'x'.repeat(3000)},r=${clientNonce}`, 'no text of a length'],
  ])('a first message with %s is refused', async (_, text, reason) => {
    const result = await say(await begin(), text);
    expect(result).toMatchObject({ kind: 'refuse', reasonCode: 0x87, reason: 'not authorized' });
    expect(result).toHaveProperty('told.reason', expect.stringContaining(reason));
  });

  test.each([
    ['a wrong proof', final.replace('dHzb', 'dHza'), 'wrong proof'],
    ['a short proof', final.replace(/p=.*/, 'p=AAAA'), 'wrong proof'],
    ['another nonce', final.replace('k0,', 'k1,'), 'the nonce is not'],
    ['another header', final.replace('biws', 'eSws'), 'the channel binding is not'],
    ['no proof', final.replace(/,p=.*/, ''), 'is not c=BINDING'],
  ])('a last message with %s is refused', async (_, text, reason) => {
    const exchange = await begin();
    await say(exchange, first);
    const result = await say(exchange, text);
    expect(result).toMatchObject({ kind: 'refuse', reasonCode: 0x87 });
    expect(result).toHaveProperty('told.reason', expect.stringContaining(reason));
  });

  test('a client that believes that the server knows no channel binding is right', async () => {
    const exchange = await begin();
    expect((await say(exchange, first.replace('n,,', 'y,,'))).kind).toBe('continue');
  });

  test('the user name of the connection is that of SCRAM, or none', async () => {
    expect((await say(await begin(credentials({ userName: 'user' })), first)).kind).toBe('continue');
    expect((await say(await begin(credentials({ userName: 'other' })), first)).kind).toBe('refuse');
  });

  test('commas and equals signs in a name are written as three characters', async () => {
    const exchange = await begin(credentials({ userName: 'a,b=c' }));
    expect((await say(exchange, `n,,n=a=2Cb=3Dc,r=${clientNonce}`)).kind).toBe('continue');
  });

  test('a user who is not there gets the same salt at each try, and is refused with the proof that would fit', async () => {
    const answers = await Promise.all(
      [1, 2].map(async () => heard(await say(await begin(), `n,,n=eve,r=${clientNonce}`))),
    );
    expect(answers[0]).toBe(answers[1]);
    expect(answers[0]).toMatch(/,s=[A-Za-z0-9+/]{22}==,i=4096$/);
    expect(answers[0]).not.toContain(salt.toString('base64'));
    const exchange = await begin();
    await say(exchange, `n,,n=eve,r=${clientNonce}`);
    expect(await say(exchange, final)).toHaveProperty('told.reason', 'no such user');
  });
});

describe('verifiers', () => {
  test('our own: for SCRAM and for plain passwords', async () => {
    const text = await makeScramVerifier('pencil');
    expect(text).toMatch(/^SCRAM-SHA-256\$15000:/);
    const hash = parsePasswordHash(text);
    if (typeof hash === 'string') throw new TypeError(hash);
    expect(await verifyPassword(hash, Buffer.from('pencil'))).toBe(true);
    expect(await verifyPassword(hash, Buffer.from('pen'))).toBe(false);
  });

  test.each([
    ['SCRAM-SHA-256$1000:AAAA$BBBB:CCCC', 'a SCRAM verifier is'],
    [`SCRAM-SHA-256$1000:AAAA$${'A'.repeat(43)}=:${'A'.repeat(43)}=`, '1000 iterations, allowed are 4096'],
  ])('%s is none', (text, reason) => {
    expect(parseScramVerifier(text)).toContain(reason);
    expect(typeof parsePasswordHash(text)).toBe('string');
  });

  test('passwords are compared as SASLprep makes them, where it can', async () => {
    const text = async (password: string) => String(await prepared(Buffer.from(password)));
    expect(await text('I\u00adX')).toBe('IX');
    expect(await text('\u2168')).toBe('IX');
    expect(await text('a\u00a0b')).toBe('a b');
    expect(await text('\u0627\u0031')).toBe('\u0627\u0031');
    expect(await prepared(Buffer.from([0xff, 0xfe]))).toMatchObject(Buffer.from([0xff, 0xfe]));
  });
});

describe('a password file', () => {
  const clock = new StillClock();
  const file = (text: string) =>
    new PasswordFile(parsePasswordFile({ name: 'users', text }), clock, 1, new Attempts(clock));

  test('offers SCRAM as soon as one line can be used for it, and changes with the file', async () => {
    const [line] = [...(await usersOfRfc())].map(([user, text]) => `${user}:${text}`);
    const none = file('');
    expect(none.exchange('SCRAM-SHA-256', nobody)).toBeNull();
    none.replace(parsePasswordFile({ name: 'users', text: line }));
    expect(none.exchange('SCRAM-SHA-256', nobody)).not.toBeNull();
    expect(none.exchange('SCRAM-SHA-1', nobody)).toBeNull();
  });

  test('a verifier signs in with a plain password, too', async () => {
    const method = file(`ann:${await makeScramVerifier('secret')}`);
    expect(await method.authenticate(credentials({ userName: 'ann', password: 'secret' }))).toMatchObject({
      kind: 'accept',
    });
    expect(await method.authenticate(credentials({ userName: 'ann', password: 'wrong' }))).toMatchObject({
      kind: 'refuse',
    });
  });
});

test('hmac and keys are those of RFC 7677', async () => {
  const { clientKey, serverKey } = await scramKeys(Buffer.from('pencil'), salt, 4096);
  expect(clientKey.length).toBe(32);
  const authMessage = `n=user,r=${clientNonce},r=${clientNonce}${serverNonce},s=${salt.toString('base64')},i=4096,${final.replace(/,p=.*/, '')}`;
  expect(hmac(serverKey, authMessage).toString('base64')).toBe(signature);
});
