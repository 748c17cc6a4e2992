import type { LogEvent, Logger } from '@dunlin/broker/ports';
import { loadConfiguration } from '@dunlin/config';
import { describe, expect, test } from 'vitest';
import { warnOfExposedServers } from '../src/exposed-servers.ts';

/** Lines about servers at the start of a node with these settings. */
function linesOf(...settings: string[]): string[] {
  const lines: string[] = [];
  const warn = ({ name }: LogEvent, fields?: Record<string, unknown>): void =>
    void lines.push(`${name} ${fields?.server} ${fields?.url} ${fields?.missing}`);
  const logger: Logger = { debug: () => {}, info: () => {}, warn, error: () => {} };
  const assignments = settings.map((setting) => setting.split(/=(.*)/s) as [string, string]);
  const environment = Object.fromEntries(assignments);
  warnOfExposedServers(loadConfiguration({ environment, flags: [] }).configuration, logger);
  return lines;
}

const redis = (url: string): string => `DUNLIN_STORE_URL=${url}`;
const nats = (url: string): string => `DUNLIN_BACKPLANE_URL=${url}`;

describe('Redis and NATS', () => {
  test.each([
    ['redis://127.0.0.1:6379', 'nats://localhost:4222'],
    ['redis://[::1]:6379', 'nats://127.0.0.1:4222,nats://127.0.0.2:4222'],
    ['rediss://u:p@redis.example.com', 'tls://u:p@nats.example.com'],
  ])('on this machine, or with both TLS and password, need no word: %s, %s', (one, other) => {
    expect(linesOf(redis(one), nats(other))).toEqual([]);
  });

  test('beyond it are named with what is missing, and no password', () => {
    expect(
      linesOf(redis('redis://u:hidden@redis.example.com:6379'), nats('nats://nats-0:4222,nats://nats-1:4222')),
    ).toEqual([
      'server.exposed Redis redis://u:***@redis.example.com:6379 TLS',
      'server.exposed NATS nats://nats-0:4222,nats://nats-1:4222 TLS,a password,cluster.secretFile',
    ]);
    expect(linesOf(redis('redis+sentinel://127.0.0.1:1,10.0.0.1:2/m'))).toEqual([
      'server.exposed Redis redis+sentinel://127.0.0.1:1,10.0.0.1:2/m TLS,a password',
    ]);
    expect(linesOf(redis('redis://localhost'), nats('nats://localhost:1,nats://token@10.0.0.1:2'))).toHaveLength(1);
  });

  test('that are not used say nothing', () => {
    expect(linesOf()).toEqual([]);
  });
});
