import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { codeOf, type LogEvent, type LogLevel, StoreError } from '@dunlin/broker';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type LogFormat, NodeLogger } from '../src/index.ts';
import { showsColours } from '../src/logger.ts';
import { formatPretty } from '../src/pretty.ts';

let directory: string;
let descriptor: number;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-log-'));
  descriptor = openSync(join(directory, 'log'), 'w');
});
afterEach(() => {
  closeSync(descriptor);
  rmSync(directory, { recursive: true });
});

/** An event with this message. */
function said<Level extends LogLevel>(level: Level, message: string): LogEvent<Level> {
  return { name: message.replaceAll(' ', '-'), level, message, fields: [] };
}

function written(format: LogFormat, use: (logger: NodeLogger) => void): string[] {
  use(new NodeLogger({ level: 'info', format, fields: { node: 'a', worker: 1 }, descriptor }));
  return readFileSync(join(directory, 'log'), 'utf8').trimEnd().split('\n');
}

test('one JSON object a line, with the fields of the thread and those of the event', () => {
  const lines = written('json', (logger) => {
    logger.debug(said('debug', 'not shown'));
    logger.info(said('info', 'ready'), { listeners: 2 });
    logger.error(said('error', 'failed'), { error: new TypeError('no') });
  }).map((line) => JSON.parse(line));
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatchObject({ level: 'info', node: 'a', worker: 1, msg: 'ready', listeners: 2 });
  expect(lines[0].time).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  expect(lines[1].error).toMatchObject({
    type: 'TypeError',
    message: 'no',
    stack: expect.stringContaining('TypeError: no'),
  });
});

test('an error has its code and that of its cause', () => {
  const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  const error = new StoreError('unavailable', 'Redis is away', cause);
  const [line] = written('json', (logger) =>
    logger.error(said('error', 'failed'), { error, errorCode: codeOf(error) }),
  );
  const { error: logged, errorCode } = JSON.parse(line);
  expect(logged).toMatchObject({ type: 'StoreError', code: 'unavailable' });
  expect(logged.stack).toContain('ECONNREFUSED');
  expect(errorCode).toBe('unavailable');
  expect(codeOf(new Error('fetch failed', { cause }))).toBe('ECONNREFUSED');
  const [, none] = written('json', (logger) =>
    logger.error(said('error', 'failed'), { errorCode: codeOf(new Error('no')) }),
  );
  expect(JSON.parse(none)).not.toHaveProperty('errorCode');
});

test('the level can be changed', () => {
  const lines = written('json', (logger) => {
    logger.setLevel('error');
    logger.warn(said('warn', 'not shown'));
    logger.setLevel('debug');
    logger.debug(said('debug', 'shown'));
  });
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['shown']);
});

test('lines for people', () => {
  const lines = written('pretty', (logger) =>
    logger.warn(said('warn', 'store is slow'), { milliseconds: 12, path: 'a b', url: 'tcp://x' }),
  );
  expect(lines[0]).toMatch(
    /^[\d:.]{12} WARN {2}\[a\/1\] store is slow milliseconds=12 path="a b" url=tcp:\/\/x event=store-is-slow$/,
  );
});

test('a terminal shows levels in colours, unless NO_COLOR says otherwise', () => {
  const line = JSON.stringify({ level: 'error', time: '2026-01-01T12:00:00.123Z', node: 'a', msg: 'no' });
  expect(formatPretty(line, true)).toBe('12:00:00.123 \x1b[31mERROR\x1b[0m [a] no\n');
  expect(formatPretty(line)).toBe('12:00:00.123 ERROR [a] no\n');
  expect(showsColours(true, {})).toBe(true);
  expect(showsColours(false, {})).toBe(false);
  expect(showsColours(true, { NO_COLOR: '1' })).toBe(false);
  expect(showsColours(true, { NO_COLOR: '' })).toBe(true);
  expect(showsColours(true, { TERM: 'dumb' })).toBe(false);
});

test('what a client may make as long as it likes is cut, whatever the field is called; errors are whole', () => {
  const long = '\u0001'.repeat(65_535);
  const [line] = written('json', (logger) =>
    logger.info(said('info', 'refused'), { client: long, user: long, error: long.slice(0, 500) }),
  );
  const { client, user, error } = JSON.parse(line);
  expect(client).toBe(`${'\u0001'.repeat(128)}… (65535 characters)`);
  expect(user).toBe(client);
  expect(error).toBe('\u0001'.repeat(500));
  expect(line.length).toBeLessThan(8000);
});
