import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { withPassword } from '../src/credentials.ts';

const directory = mkdtempSync(join(tmpdir(), 'dunlin-credentials-'));
const file = join(directory, 'password');
writeFileSync(file, 'p@ss:w/1\n');
afterAll(() => rmSync(directory, { recursive: true }));

const cases: [url: string, sole: 'password' | 'token', withIt: string][] = [
  ['redis://host', 'password', 'redis://:p%40ss%3Aw%2F1@host'],
  ['redis://user@host:1/2', 'password', 'redis://user:p%40ss%3Aw%2F1@host:1/2'],
  ['redis://user:old@host', 'password', 'redis://user:p%40ss%3Aw%2F1@host'],
  ['rediss+sentinel://h1:1,h2:2/master', 'password', 'rediss+sentinel://:p%40ss%3Aw%2F1@h1:1,h2:2/master'],
  ['nats://h1,nats://h2', 'token', 'nats://p%40ss%3Aw%2F1@h1,nats://h2'],
  ['tls://user@h1:1,tls://h2', 'token', 'tls://user:p%40ss%3Aw%2F1@h1:1,tls://h2'],
];

test.each(cases)('%s', (url, sole, withIt) => {
  expect(withPassword(url, file, sole)).toBe(withIt);
});

test('without a file the URL stays as it is', () => {
  expect(withPassword('redis://user:password@host', '', 'password')).toBe('redis://user:password@host');
});
