import { describe, expect, test } from 'vitest';
import { parseRedisUrl, RedisUrlError, withoutPassword } from '../src/index.ts';

const plain = { kind: 'standalone', tls: false, user: undefined, password: undefined, database: 0, masterName: '' };

describe('a Redis URL', () => {
  test.each([
    ['redis://localhost', { ...plain, addresses: [{ host: 'localhost', port: 6379 }] }],
    ['redis://h:1', { ...plain, addresses: [{ host: 'h', port: 1 }] }],
    ['redis://h/', { ...plain, addresses: [{ host: 'h', port: 6379 }] }],
    ['rediss://[::1]:7/3', { ...plain, tls: true, database: 3, addresses: [{ host: '::1', port: 7 }] }],
    ['redis://u:p@h', { ...plain, user: 'u', password: 'p', addresses: [{ host: 'h', port: 6379 }] }],
    ['redis://:p%40%3A%2F@h', { ...plain, password: 'p@:/', addresses: [{ host: 'h', port: 6379 }] }],
    [
      'redis+sentinel://a,b:2,[::1]:3/main',
      {
        ...plain,
        kind: 'sentinel',
        masterName: 'main',
        addresses: [
          { host: 'a', port: 26_379 },
          { host: 'b', port: 2 },
          { host: '::1', port: 3 },
        ],
      },
    ],
    [
      'rediss+cluster://u:p@a,b:2',
      {
        ...plain,
        kind: 'cluster',
        tls: true,
        user: 'u',
        password: 'p',
        addresses: [
          { host: 'a', port: 6379 },
          { host: 'b', port: 2 },
        ],
      },
    ],
  ])('%s', (url, target) => {
    expect(parseRedisUrl(url)).toEqual(target);
  });

  test.each([
    ['http://h', 'not a Redis URL'],
    ['localhost:6379', 'not a Redis URL'],
    ['redis://', 'bad address ""'],
    ['redis://h:0', 'bad address "h:0"'],
    ['redis://h:65536', 'bad address "h:65536"'],
    ['redis://h:x', 'bad address "h:x"'],
    ['redis://a,b', 'more than one address'],
    ['redis://h/x', 'bad database number "x"'],
    ['redis+sentinel://h', 'no master name'],
    ['redis+cluster://h/0', 'a path, which Cluster has not'],
    ['redis://u@h', 'a user without a password'],
    ['redis://:%zz@h', 'a % that begins no escape'],
  ])('%s is refused: %s', (url, reason) => {
    expect(() => parseRedisUrl(url)).toThrow(RedisUrlError);
    expect(() => parseRedisUrl(url)).toThrow(reason);
    expect(() => parseRedisUrl(url)).toThrow('allowed are redis://');
  });

  test('its password is not shown', () => {
    expect(withoutPassword('redis://user:secret@h/1')).toBe('redis://user:…@h/1');
    expect(() => parseRedisUrl('redis://user:secret@h:x')).toThrow(/^(?!.*secret)/);
  });
});
