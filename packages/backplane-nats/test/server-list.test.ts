import { describe, expect, test } from 'vitest';
import { NatsConfigurationError, parseServers, redactServers, serverListForm } from '../src/server-list.ts';

const nobody = { user: '', password: '', token: '' };

describe('lists of servers', () => {
  test.each([
    ['nats://host', { hosts: ['host:4222'], tls: false, ...nobody }],
    ['nats://host:4333/', { hosts: ['host:4333'], tls: false, ...nobody }],
    ['tls://a.example:1, tls://b.example', { hosts: ['a.example:1', 'b.example:4222'], tls: true, ...nobody }],
    ['nats://[::1]:4222', { hosts: ['[::1]:4222'], tls: false, ...nobody }],
    ['nats://user:pass@h:1', { hosts: ['h:1'], tls: false, user: 'user', password: 'pass', token: '' }],
    ['nats://user:p%40s%2Cs@h', { hosts: ['h:4222'], tls: false, user: 'user', password: 'p@s,s', token: '' }],
    ['nats://user:@h', { hosts: ['h:4222'], tls: false, user: 'user', password: '', token: '' }],
    ['nats://t0ken@h', { hosts: ['h:4222'], tls: false, user: '', password: '', token: 't0ken' }],
    ['nats://u:p@h1,nats://h2', { hosts: ['h1:4222', 'h2:4222'], tls: false, user: 'u', password: 'p', token: '' }],
    ['nats://h1,nats://u:p@h2', { hosts: ['h1:4222', 'h2:4222'], tls: false, user: 'u', password: 'p', token: '' }],
  ])('%s', (text, list) => {
    expect(parseServers(text)).toEqual(list);
  });

  test.each([
    ['', /is empty/],
    ['nats://a,', /number 2 is empty/],
    ['host:4222', /has no scheme/],
    ['http://host', /has the scheme "http"/],
    ['nats://a,tls://b', /are mixed/],
    ['nats://host:99999', /is not a URL/],
    ['nats://host:0', /is not a URL/],
    ['nats://host/path', /is not a URL/],
    ['nats://host?x=1', /is not a URL/],
    ['nats://:secret@host', /is not a URL/],
    ['nats://user:sec%zzret@host', /is not a URL/],
    ['nats://u:p1@a,nats://u:p2@b', /different credentials/],
    ['nats://user:sec/ret@host', /is not a URL/],
    ['nats://user:sec,ret@host', /is not a URL/],
  ])('"%s" is refused with what is allowed, and without secrets', (text, why) => {
    expect(() => parseServers(text)).toThrow(NatsConfigurationError);
    expect(() => parseServers(text)).toThrow(why);
    expect(() => parseServers(text)).toThrow(serverListForm);
    expect(() => parseServers(text)).not.toThrow(/sec|ret@|p1|p2/);
  });

  test.each([
    ['nats://a:1,nats://b', 'nats://a:1,nats://b'],
    ['nats://user:pass@a,nats://b', 'nats://***@a,nats://b'],
    ['tls://tok@en@a', 'tls://***@a'],
  ])('%s is logged as %s', (text, redacted) => {
    expect(redactServers(text)).toBe(redacted);
  });
});
