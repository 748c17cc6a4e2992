import type { Logger } from '@dunlin/broker';
import { expect, test } from 'vitest';
import { OutageLogger } from '../src/index.ts';

/** Lines as `level message`. */
class Lines implements Logger {
  readonly lines: string[] = [];
  fields: Record<string, unknown> = {};
  debug(message: string): void {
    this.lines.push(`debug ${message}`);
  }
  info(message: string, fields: Record<string, unknown> = {}): void {
    this.lines.push(`info ${message}`);
    this.fields = fields;
  }
  warn(message: string): void {
    this.lines.push(`warn ${message}`);
  }
  error(message: string): void {
    this.lines.push(`error ${message}`);
  }
}

const failed = { error: 'StoreError: the server is away' };

test('each kind of failure is said once in an outage, and counted', () => {
  const written = new Lines();
  const logger = new OutageLogger(written);
  logger.storeConnected(true);
  // The first calls fail before anybody knows that the connection is lost.
  logger.error('not stored', failed);
  logger.storeConnected(false);
  for (let i = 0; i < 2; i++) logger.error('not stored', failed);
  for (let i = 0; i < 2; i++) logger.warn('not written', { client: String(i), ...failed });
  expect(written.lines).toEqual([
    'error not stored',
    'debug not stored',
    'debug not stored',
    'warn not written',
    'debug not written',
  ]);
  logger.storeConnected(true);
  expect(written.lines.at(-1)).toBe('info the store is back');
  expect(written.fields).toEqual({ kindsOfFailures: 2, furtherFailures: 3 });
  logger.storeConnected(false);
  logger.error('not stored', failed);
  expect(written.lines.at(-1)).toBe('error not stored');
});

test('what has nothing to do with the store is always said', () => {
  const written = new Lines();
  const logger = new OutageLogger(written);
  logger.storeConnected(false);
  logger.warn('a packet', { error: 'TypeError: no' });
  logger.warn('a packet', { error: 'TypeError: no' });
  logger.warn('late');
  logger.warn('late');
  expect(written.lines).toEqual(['warn a packet', 'warn a packet', 'warn late', 'warn late']);
});
