import { type LogEvent, type Logger, type LogLevel, StoreError } from '@dunlin/broker';
import { expect, test } from 'vitest';
import { OutageLogger, SpokenLines, spokenBytes } from '../src/index.ts';

/** Lines as `level message`. */
class Lines implements Logger {
  readonly lines: string[] = [];
  fields: Record<string, unknown> = {};
  debug(event: LogEvent, _fields?: object): void {
    this.lines.push(`debug ${event.message}`);
  }
  info(event: LogEvent, fields: Record<string, unknown> = {}): void {
    this.lines.push(`info ${event.message}`);
    this.fields = fields;
  }
  warn(event: LogEvent, _fields?: object): void {
    this.lines.push(`warn ${event.message}`);
  }
  error(event: LogEvent, _fields?: object): void {
    this.lines.push(`error ${event.message}`);
  }
}

/** An event with this message. */
function said<Level extends LogLevel>(level: Level, message: string): LogEvent<Level> {
  return { name: message.replaceAll(' ', '-'), level, message, fields: [] };
}

const failed = { error: new StoreError('unavailable', 'the server is away') };

test('each kind of failure is said once in an outage, and counted', () => {
  const written = new Lines();
  const logger = new OutageLogger(written);
  logger.storeConnected(true);
  // The first calls fail before anybody knows that the connection is lost.
  logger.error(said('error', 'not stored'), failed);
  logger.storeConnected(false);
  for (let i = 0; i < 2; i++) logger.error(said('error', 'not stored'), failed);
  for (let i = 0; i < 2; i++) logger.warn(said('warn', 'not written'), { client: String(i), ...failed });
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
  logger.error(said('error', 'not stored'), failed);
  expect(written.lines.at(-1)).toBe('error not stored');
});

test('what has nothing to do with the store is always said', () => {
  const written = new Lines();
  const logger = new OutageLogger(written);
  logger.storeConnected(false);
  logger.warn(said('warn', 'a packet'), { error: 'TypeError: no' });
  logger.warn(said('warn', 'a packet'), { error: 'TypeError: no' });
  logger.warn(said('warn', 'late'));
  logger.warn(said('warn', 'late'));
  expect(written.lines).toEqual(['warn a packet', 'warn a packet', 'warn late', 'warn late']);
});

test('one worker speaks for all of its node', () => {
  const memory = new SharedArrayBuffer(spokenBytes);
  const workers = [0, 1, 2].map((index) => {
    const written = new Lines();
    return { written, logger: new OutageLogger(written, new SpokenLines(index, memory)) };
  });
  for (const { logger } of workers) {
    logger.storeConnected(true);
    logger.storeConnected(false);
    logger.error(said('error', 'not stored'), failed);
  }
  workers[2].logger.warn(said('warn', 'not written'), failed);
  for (const { logger } of workers) logger.storeConnected(true);
  const spoken = workers.map(({ written }) => written.lines.filter((line) => !line.startsWith('debug')));
  expect(spoken).toEqual([['error not stored', 'info the store is back'], [], ['warn not written']]);
});

test('what another worker said is said again after a while, and by itself at once', () => {
  const memory = new SharedArrayBuffer(spokenBytes);
  const [one, other] = [new SpokenLines(0, memory), new SpokenLines(1, memory)];
  expect([one.isMine('gone', 10, 1000), other.isMine('gone', 10, 1009), one.isMine('gone', 10, 1009)]).toEqual([
    true,
    false,
    true,
  ]);
  expect(other.isMine('gone', 10, 1020)).toBe(true);
  expect(other.isMine('back', 10, 1020)).toBe(true);
});
