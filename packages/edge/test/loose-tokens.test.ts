import type { LogEvent, Logger } from '@dunlin/broker/ports';
import { loadConfiguration } from '@dunlin/config';
import { expect, test } from 'vitest';
import { warnOfLooseTokens } from '../src/loose-tokens.ts';

/** Lines about tokens at the start of a node with these settings. */
function linesOf(settings: Record<string, string>): string[] {
  const lines: string[] = [];
  const warn = ({ name }: LogEvent, fields?: Record<string, unknown>): void =>
    void lines.push([name, fields?.url].filter((text) => text !== undefined).join(' '));
  const logger: Logger = { debug: () => {}, info: () => {}, warn, error: () => {} };
  const flags = Object.entries(settings).map(([path, value]) => ({ flag: '--set', path, value }));
  warnOfLooseTokens(loadConfiguration({ environment: {}, flags }).configuration, logger);
  return lines;
}

test('tokens for other services are accepted: said where jwt is used and no audience is set', () => {
  expect(linesOf({ 'jwt.jwksUrl': 'https://id.example.com/keys' })).toEqual(['jwt.audience-unset']);
  expect(linesOf({ 'jwt.jwksUrl': 'https://id.example.com/keys', 'jwt.audience': 'mqtt' })).toEqual([]);
  expect(linesOf({})).toEqual([]);
  expect(linesOf({ 'authentication.passwordFile': import.meta.filename })).toEqual([]);
});

test('keys that come without TLS: said where they come over the network, without what is secret', () => {
  const withKeysAt = (url: string) => linesOf({ 'jwt.audience': 'mqtt', 'jwt.jwksUrl': url });
  expect(withKeysAt('http://u:hidden@id.example.com:8080/keys')).toEqual([
    'jwks.exposed http://u:***@id.example.com:8080/keys',
  ]);
  for (const host of ['localhost', '127.0.0.1:8080', '[::1]:8080'])
    expect(withKeysAt(`http://${host}/keys`)).toEqual([]);
});
