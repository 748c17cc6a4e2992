import { execFileSync } from 'node:child_process';
import { argon2Sync, createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Attempts } from '../src/fair/attempts.ts';
import { PasswordFile, parsePasswordFile, type Users } from '../src/password-file.ts';
import { changePassword, userNameFault } from '../src/password-file-edit.ts';
import { makePasswordHash, type PasswordHash, parsePasswordHash, verifyPassword } from '../src/password-hash.ts';
import { credentials, StillClock } from './credentials.ts';

/** Each call of a dear hash function, with what decides over its cost. A count, since times vary with what else the machine does. */
const hashed = vi.hoisted((): string[] => []);
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>();
  const scrypt = (...words: Parameters<typeof crypto.scrypt>): void => {
    const { N, r, p } = words[3];
    hashed.push(`scrypt N=${N} r=${r} p=${p}`);
    crypto.scrypt(...words);
  };
  const pbkdf2 = (...words: Parameters<typeof crypto.pbkdf2>): void => {
    hashed.push(`pbkdf2 ${words[2]}`);
    crypto.pbkdf2(...words);
  };
  return { ...crypto, scrypt, pbkdf2 };
});

let directory: string;
beforeEach(() => {
  hashed.length = 0;
  directory = mkdtempSync(join(tmpdir(), 'dunlin-passwords-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Cost of the hashes that `dunlin passwd` writes. */
const ourCost = 'scrypt N=32768 r=8 p=1';

function passwordFile(users: Users): PasswordFile {
  const clock = new StillClock();
  return new PasswordFile(users, clock, 2, new Attempts(clock));
}

const isRight = (hash: string, password: string) =>
  verifyPassword(parsePasswordHash(hash) as PasswordHash, Buffer.from(password));

describe('hashes', () => {
  test('our own', async () => {
    const hash = await makePasswordHash('pass');
    expect(hash).toMatch(/^\$scrypt\$ln=15,r=8,p=1\$/);
    expect(await isRight(hash, 'pass')).toBe(true);
    expect(await isRight(hash, 'Pass')).toBe(false);
    expect(await makePasswordHash('pass')).not.toBe(hash);
  });

  test('argon2id', async () => {
    const nonce = Buffer.from('0123456789abcdef');
    const parameters = { message: 'pass', nonce, parallelism: 1, tagLength: 32, memory: 64, passes: 2 };
    const tag = argon2Sync('argon2id', parameters).toString('base64').replaceAll('=', '');
    const hash = `$argon2id$v=19$m=64,t=2,p=1$${nonce.toString('base64').replaceAll('=', '')}$${tag}`;
    expect(await isRight(hash, 'pass')).toBe(true);
    expect(await isRight(hash, 'other')).toBe(false);
  });

  test("what Mosquitto's own program writes", async () => {
    const file = join(directory, 'mosquitto');
    execFileSync('mosquitto_passwd', ['-c', '-b', file, 'ann', 'pass']);
    const hash = readFileSync(file, 'utf8').trim().slice('ann:'.length);
    expect(hash).toMatch(/^\$(7|argon2id)\$/);
    expect(await isRight(hash, 'pass')).toBe(true);
    expect(await isRight(hash, 'pas')).toBe(false);
  });

  test('$6$ of old files', async () => {
    const salt = Buffer.from('salt of twelve');
    const sum = createHash('sha512').update('pass').update(salt).digest('base64');
    expect(await isRight(`$6$${salt.toString('base64')}$${sum}`, 'pass')).toBe(true);
    expect(await isRight(`$6$${salt.toString('base64')}$${sum}`, 'fail')).toBe(false);
  });

  test.each([
    '',
    'plain',
    '$1$abc$def',
    '$7$101$c2FsdA==$AAAA',
    '$7$99999999999$c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    '$scrypt$ln=31,r=8,p=1$c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    '$scrypt$ln=2,r=8,p=1$c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    '$argon2id$v=19$m=99999999,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    '$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
  ])('refused: "%s"', (text) => {
    expect(parsePasswordHash(text)).toBeTypeOf('string');
  });
});

describe('the file', () => {
  const good = '$7$101$c2FsdHNhbHQ=$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
  const parse = (text: string) => parsePasswordFile({ name: 'users', text });

  test('users, comments, empty lines and the line ends of Windows', () => {
    expect([...parse(`# people\r\n\r\nann:${good}\r\nbob:${good}`).keys()]).toEqual(['ann', 'bob']);
    expect(parse('').size).toBe(0);
  });

  test.each([
    [`ann:${good}\nbob\n`, 'users:2:1: a line is USER:HASH'],
    [`:${good}\n`, 'users:1:1: a line is USER:HASH'],
    ['ann:secret\n', 'users:1:5: no hash of a known kind'],
    [`ann:${good}\nann:${good}\n`, 'users:2:1: the user "ann" is there twice'],
  ])('refused: %j', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });
});

describe('signing in', () => {
  async function method(): Promise<PasswordFile> {
    const text = `ann:${await makePasswordHash('pass')}\n`;
    return passwordFile(parsePasswordFile({ name: 'users', text }));
  }
  const kind = async (file: PasswordFile, userName: string | null, password: string | null) =>
    (await file.authenticate(credentials({ userName, password }))).kind;

  test('a right password, a wrong one, none, an empty one, an unknown user', async () => {
    const file = await method();
    expect(await file.authenticate(credentials({ userName: 'ann', password: 'pass' }))).toMatchObject({
      kind: 'accept',
      userName: 'ann',
    });
    expect(await kind(file, 'ann', 'wrong')).toBe('refuse');
    expect(await kind(file, 'ann', null)).toBe('not-mine');
    expect(await kind(file, 'ann', '')).toBe('not-mine');
    expect(await kind(file, 'bob', 'pass')).toBe('not-mine');
    expect(await kind(file, null, 'pass')).toBe('not-mine');
    expect(await kind(file, '__proto__', 'pass')).toBe('not-mine');
  });

  test('a right password is remembered, until the file has another; a wrong one is not', async () => {
    const file = await method();
    hashed.length = 0;
    for (let i = 0; i < 200; i++) expect(await kind(file, 'ann', 'pass')).toBe('accept');
    expect(hashed).toEqual([ourCost]);
    for (let i = 0; i < 2; i++) expect(await kind(file, 'ann', 'pass2')).toBe('refuse');
    expect(hashed).toEqual([ourCost, ourCost, ourCost]);
    const text = `ann:${await makePasswordHash('new')}\n`;
    file.replace(parsePasswordFile({ name: 'users', text }));
    expect(await kind(file, 'ann', 'pass')).toBe('refuse');
    expect(await kind(file, 'ann', 'new')).toBe('accept');
    file.replace(new Map());
    expect(await kind(file, 'ann', 'new')).toBe('not-mine');
  });

  describe('unknown users of a file with several kinds of hashes', () => {
    const salted = (i: number, hashBytes: number): string =>
      `${Buffer.alloc(12, i).toString('base64')}$${Buffer.alloc(hashBytes).toString('base64')}`;
    const cheap = (i: number): string => `$scrypt$ln=10,r=1,p=1$${salted(i, 32)}`;
    const cheapest = (i: number): string => `$7$1$${salted(i, 64)}`;
    /** Three of four users have the same kind of hash. */
    const mixed = (prefix = 'user'): Users =>
      new Map(Array.from({ length: 40 }, (_, i) => [`${prefix}-${i}`, i % 4 === 3 ? cheapest(i) : cheap(i)]));
    const strangers = Array.from({ length: 200 }, (_, i) => `stranger-${i}`);
    /** Hash functions that these names cost, in their order. */
    const costs = async (file: PasswordFile, names: readonly string[]): Promise<string[]> => {
      hashed.length = 0;
      for (const userName of names) await file.authenticate(credentials({ userName, password: 'wrong' }));
      return [...hashed];
    };

    test('cost what known ones do: each kind has its share of them', async () => {
      const found = await costs(passwordFile(mixed()), strangers);
      expect(found).toHaveLength(200);
      expect(new Set(found)).toEqual(new Set(['scrypt N=1024 r=1 p=1', 'pbkdf2 1']));
      const ofUsers = await costs(passwordFile(mixed()), [...mixed().keys()]);
      const share = (list: string[]): number => list.filter((cost) => cost.startsWith('scrypt')).length / list.length;
      expect(Math.abs(share(found) - share(ofUsers))).toBeLessThan(0.1);
    });

    test('cost the same at each try, at each worker, and for nearly all when users are added', async () => {
      const file = passwordFile(mixed());
      const first = await costs(file, strangers);
      expect(await costs(file, strangers)).toEqual(first);
      expect(await costs(passwordFile(mixed()), strangers)).toEqual(first);
      file.replace(new Map([...mixed(), ...Array.from({ length: 4 }, (_, i) => [`new-${i}`, cheap(i)] as const)]));
      const later = await costs(file, strangers);
      expect(later.filter((cost, i) => cost !== first[i]).length).toBeLessThan(20);
    });

    test('cost something else with another file: who has not read it cannot tell what', async () => {
      const other = new Map([['first', cheap(77)], ...mixed()]);
      const first = await costs(passwordFile(mixed()), strangers);
      expect(await costs(passwordFile(other), strangers)).not.toEqual(first);
    });

    test('a line that is alone of its kind makes no stranger stand out', async () => {
      const text = `bob:$6$${salted(1, 64)}\n`;
      expect(await costs(passwordFile(parsePasswordFile({ name: 'f', text })), ['nobody'])).toEqual([]);
      expect(await costs(passwordFile(new Map()), ['nobody'])).toEqual([ourCost]);
    });
  });

  test('an unknown user costs a hash, as a known one does', async () => {
    const file = await method();
    hashed.length = 0;
    for (let i = 0; i < 5; i++) await kind(file, 'ann', 'wrong');
    expect(hashed).toEqual(Array(5).fill(ourCost));
    for (let i = 0; i < 5; i++) await kind(file, 'bob', 'wrong');
    expect(hashed).toEqual(Array(10).fill(ourCost));
  });
});

describe('changing the file', () => {
  const file = () => join(directory, 'users');
  const change = (userName: string, password: string | null, create = false) =>
    changePassword({ file: file(), userName, password, create });

  test('create, add, replace, remove; for nobody else to read; nothing left beside it', async () => {
    await change('ann', 'a', true);
    await change('bob', 'b');
    await change('ann', 'c');
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    const users = parsePasswordFile({ name: 'users', text: readFileSync(file(), 'utf8') });
    expect([...users.keys()]).toEqual(['ann', 'bob']);
    expect(await isRight(users.get('ann') as string, 'c')).toBe(true);
    await change('ann', null);
    expect(readFileSync(file(), 'utf8')).toMatch(/^bob:\$scrypt\$.*\n$/);
    expect(readdirSync(directory)).toEqual(['users']);
  });

  test('comments stay', async () => {
    writeFileSync(file(), '# people\n\n');
    await change('ann', 'a');
    expect(readFileSync(file(), 'utf8')).toMatch(/^# people\n\nann:/);
  });

  test('what cannot be done is said', async () => {
    await expect(change('ann', 'a')).rejects.toThrow('there is no such file; -c makes one');
    await change('ann', 'a', true);
    await expect(change('bob', null)).rejects.toThrow('has no user "bob"');
    expect(['', 'a:b', '#a', 'a\nb'].map((name) => userNameFault(name) !== null)).toEqual([true, true, true, true]);
    expect(userNameFault('ann')).toBeNull();
  });
});
