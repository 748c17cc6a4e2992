import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogEvent, Logger } from '@dunlin/broker';
import { afterAll, expect, test } from 'vitest';
import { SecretFile } from '../src/secret-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'dunlin-secret-'));
const path = join(directory, 'password');
afterAll(() => rmSync(directory, { recursive: true }));

class Lines implements Logger {
  readonly said: string[] = [];
  debug(): void {}
  warn(): void {}
  info(event: LogEvent, _fields?: object): void {
    this.said.push(event.message);
  }
  error(event: LogEvent, fields: Record<string, unknown> = {}): void {
    this.said.push(`${event.message}: ${fields.errorCode} ${fields.error}`);
  }
}

test('is read again each time; what cannot be read, or is empty, stands for what it held before', async () => {
  const lines = new Lines();
  writeFileSync(path, 'first\r\n');
  const file = new SecretFile(path, 'Redis', lines);
  expect(await file.readText()).toBe('first');
  writeFileSync(path, 'second\n');
  expect(await file.readText()).toBe('second');
  rmSync(path);
  expect(await file.readText()).toBe('second');
  expect(String(await file.read())).toBe('second\n');
  expect(lines.said).toEqual([
    expect.stringMatching(/^a file with a secret cannot be read; .*: ENOENT ENOENT.*password/),
  ]);
  writeFileSync(path, '');
  expect(await file.readText()).toBe('second');
  writeFileSync(path, 'third');
  expect(await file.readText()).toBe('third');
  expect(lines.said.slice(1)).toEqual(['a file with a secret can be read again']);
  writeFileSync(path, '');
  expect(await file.readText()).toBe('third');
  expect(lines.said[2]).toMatch(/: secret-file the file is empty$/);
});

test('one that is missing at the start is an error; no file is nothing', async () => {
  expect(() => new SecretFile(join(directory, 'missing'), 'NATS', new Lines())).toThrow(/ENOENT.*missing/);
  expect(await new SecretFile('', 'NATS', new Lines()).readText()).toBeNull();
});
