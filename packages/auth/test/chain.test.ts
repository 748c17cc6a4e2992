import type { AuthenticationResult } from '@dunlin/broker';
import { describe, expect, test } from 'vitest';
import { Access, type AccessOptions, type AccessTexts } from '../src/access.ts';
import { Chain } from '../src/chain.ts';
import { ClientCertificateName } from '../src/client-certificate.ts';
import { Attempts } from '../src/fair/attempts.ts';
import { cannotTell, type Decision, type Method, notMine, refuse } from '../src/method.ts';
import { readRuleList } from '../src/rules/rule-list.ts';
import { credentials, Notebook, StillClock } from './credentials.ts';

function saying(decision: Decision): Method & { asked: number } {
  const method = {
    name: 'password-file' as const,
    asked: 0,
    authenticate: () => {
      method.asked++;
      return decision;
    },
  };
  return method;
}

const yes: Decision = { kind: 'accept', userName: 'ann' };

async function enter(methods: Method[], allowAnonymous: boolean, given = {}): Promise<AuthenticationResult> {
  const chain = new Chain(new Map([['main', { methods, allowAnonymous }]]), new Attempts(new StillClock()));
  return chain.authenticate(credentials({ userName: 'ann', password: 'x', ...given }));
}

describe('the chain', () => {
  test('asks in order until one says more than "not mine"', async () => {
    const [first, second, third] = [saying(notMine), saying(yes), saying(yes)];
    expect(await enter([first, second, third], false)).toEqual({ ...yes, method: 'password-file' });
    expect([first.asked, second.asked, third.asked]).toEqual([1, 1, 0]);
  });

  test('a refusal is final, and does not say why', async () => {
    const after = saying(yes);
    expect(await enter([saying(refuse('wrong password')), after], true)).toEqual({
      kind: 'refuse',
      reasonCode: 0x87,
      reason: 'not authorized',
      told: { user: 'ann', method: 'password-file', reason: 'wrong password' },
    });
    expect(after.asked).toBe(0);
  });

  test.each([
    ['eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0xxx.c2lnbmF0dXJl', '(a token)'],
    ['Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl', '(a token)'],
    ['ann.of.green', 'ann.of.green'],
  ])(
    'the log names the user "%s" as "%s": a token that cannot be checked now may be good later',
    async (userName, named) => {
      const result = await enter([saying(cannotTell('away'))], false, { userName });
      expect(result).toMatchObject({ told: { user: named, method: 'password-file', reason: 'away' } });
      if (named === '(a token)') expect(JSON.stringify(result)).not.toContain(userName);
    },
  );

  test('"cannot tell" means no', async () => {
    const after = saying(yes);
    expect(await enter([saying(cannotTell('away')), after], true)).toMatchObject({ kind: 'refuse', reasonCode: 0x88 });
    expect(after.asked).toBe(0);
  });

  test('anonymous clients come in only where that is allowed, and only without credentials', async () => {
    const silent = { userName: null, password: null };
    expect(await enter([saying(notMine)], true, silent)).toEqual({ kind: 'accept', userName: null });
    expect(await enter([saying(notMine)], false, silent)).toMatchObject({ kind: 'refuse' });
    expect(await enter([saying(notMine)], true)).toMatchObject({ kind: 'refuse' });
    expect(await enter([saying(notMine)], true, { password: null })).toMatchObject({ kind: 'refuse' });
  });

  test('without methods: everybody or nobody, under no name', async () => {
    expect(await enter([], true)).toEqual({ kind: 'accept', userName: null });
    expect(await enter([], false)).toMatchObject({ kind: 'refuse', reasonCode: 0x87 });
  });

  test('a listener without a policy admits nobody', async () => {
    expect(await enter([saying(yes)], true, { listener: 'another' })).toMatchObject({ kind: 'refuse' });
  });

  test('failures in an exchange count for the name that is given in it: others are not shut out', async () => {
    const method: Method = {
      name: 'password-file',
      authenticate: () => notMine,
      exchange: () => {
        let claimedName: string | null = null;
        return {
          get claimedName() {
            return claimedName;
          },
          step: async (data): Promise<AuthenticationResult> => {
            if (claimedName !== null) return { kind: 'refuse', reasonCode: 0x87, reason: 'wrong proof' };
            claimedName = String(data);
            return { kind: 'continue', data };
          },
        };
      },
    };
    const policies = new Map([['main', { methods: [method], allowAnonymous: false }]]);
    const chain = new Chain(policies, new Attempts(new StillClock()));
    const prove = async (name: string, address: string) => {
      const exchange = chain.exchange('SCRAM-SHA-256', credentials({ userName: null, remoteAddress: `${address}:1` }));
      await exchange?.step(Buffer.from(name));
      const result = await exchange?.step(Buffer.from('x'));
      return result?.kind === 'refuse' ? result.reasonCode : 0;
    };
    for (let i = 0; i < 400; i++) expect(await prove('bob', `198.51.${i >> 8}.${i & 255}`)).toBe(0x87);
    expect(await prove('bob', '203.0.113.7')).toBe(0x9f);
    expect(await prove('ann', '203.0.113.7')).toBe(0x87);
  });

  test('a listener without a policy offers no enhanced authentication', () => {
    expect(new Chain(new Map(), new Attempts(new StillClock())).exchange('SCRAM-SHA-256', credentials({}))).toBeNull();
  });
});

describe('client certificates', () => {
  const certificate = {
    commonName: 'gauge-7',
    subjectAltNames: ['DNS:g7.example', 'URI:x'],
    fingerprint: '',
    expiresAt: 0,
    revocationName: '',
  };
  const name = (from: 'common-name' | 'alternative-name', clientCertificate: typeof certificate | null) =>
    new ClientCertificateName(from).authenticate(credentials({ clientCertificate }));

  test('the name of the certificate is the client’s, whatever it says itself', () => {
    expect(name('common-name', certificate)).toEqual({ kind: 'accept', userName: 'gauge-7' });
    expect(name('alternative-name', certificate)).toEqual({ kind: 'accept', userName: 'g7.example' });
  });

  test('no certificate, or none with such a name', () => {
    expect(name('common-name', null)).toEqual(notMine);
    expect(name('common-name', { ...certificate, commonName: '' })).toEqual(notMine);
    expect(name('alternative-name', { ...certificate, subjectAltNames: [] })).toEqual(notMine);
  });
});

describe('access as a whole', () => {
  const jwt: AccessOptions['jwt'] = {
    field: 'password',
    issuer: '',
    audience: '',
    leewaySeconds: 0,
    lifetimeMaxSeconds: 0,
    userNameClaim: 'sub',
    rulesClaim: '',
    claims: new Map(),
    jwksUrl: '',
  };
  const options: AccessOptions = {
    listeners: new Map([['main', { methods: ['password-file'], allowAnonymous: false }]]),
    hashesAtOnce: 1,
    certificateName: 'common-name',
    jwt,
    tokens: null,
    http: null,
    clock: new StillClock(),
    logger: new Notebook(),
  };
  const texts: AccessTexts = {
    passwords: null,
    rules: null,
    jwtKeys: null,
    jwtSecret: null,
    httpHeaders: null,
    httpAuthorities: null,
  };
  const named = (text: string) => ({ name: 'file', text });

  test('an empty password file lets nobody in', async () => {
    const access = new Access(options, { ...texts, passwords: named('') });
    const result = await access.authenticator.authenticate(credentials({ userName: 'ann', password: 'x' }));
    expect(result).toMatchObject({ kind: 'refuse' });
    expect(access.authorizer).toBeNull();
  });

  test('a broken file leaves everything as it was', async () => {
    const list = (text: string) => readRuleList(named(text));
    const access = new Access(options, { ...texts, rules: await list('- {allow: all, topics: a}') });
    const client = { clientId: 'c', userName: 'u', remoteAddress: 'unix' };
    const may = (topic: string) => access.authorizer?.authorize(client, 'publish', topic, 0, false);
    const other = await list('- {allow: all, topics: b}');
    await expect(access.replace({ ...texts, rules: other, passwords: named('x') })).rejects.toThrow(
      'file:1:1: a line is USER:HASH',
    );
    expect([may('a'), may('b')]).toEqual([true, false]);
    expect(await access.replace({ ...texts, rules: other })).toBe(true);
    expect([may('a'), may('b')]).toEqual([false, true]);
  });

  test('of files that change twice in short order the later ones count', async () => {
    const many = await readRuleList(named('- {allow: all, topics: old/topic}\n'.repeat(2000)));
    const few = await readRuleList(named('- {allow: all, topics: b}'));
    const access = new Access(options, { ...texts, rules: few });
    const older = access.replace({ ...texts, rules: many });
    const newer = access.replace({ ...texts, rules: few });
    expect(await Promise.all([older, newer])).toEqual([false, true]);
    const client = { clientId: 'c', userName: 'u', remoteAddress: 'unix' };
    expect(access.authorizer?.authorize(client, 'publish', 'b', 0, false)).toBe(true);
    expect(access.authorizer?.authorize(client, 'publish', 'old/topic', 0, false)).toBe(false);
  });
});
