import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestAuthority } from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { checkListeners } from '../src/check-listeners.ts';
import { configurationReference, printConfiguration } from '../src/describe.ts';
import { parseFileLayer } from '../src/file-layer.ts';
import { listenerOptionNames, listenerOptions } from '../src/listener-keys.ts';
import { loadConfiguration } from '../src/load.ts';

let authority: TestAuthority;
let one: { cert: string; key: string };
let other: { cert: string; key: string };
let garbage: string;
let locked: string;

beforeAll(async () => {
  authority = await TestAuthority.make();
  one = await authority.issue('one.example');
  other = await authority.issue('other.example');
  garbage = join(authority.directory, 'garbage.pem');
  writeFileSync(garbage, 'not a certificate\n');
  locked = join(authority.directory, 'locked.key');
  writeFileSync(locked, '-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n');
});
afterAll(() => authority.remove());

const messages = (value: unknown) =>
  checkListeners(value).faults.map(({ message, suggestion }) =>
    suggestion === '' ? message : `${message}; ${suggestion}`,
  );

test('ports and paths that a URL leaves out', () => {
  const tls = `?cert=${one.cert}&key=${one.key}`;
  const { listeners, faults } = checkListeners([
    'tcp://127.0.0.1',
    `tls://127.0.0.1${tls}`,
    'ws://127.0.0.1',
    `wss://127.0.0.1/other/path${tls}`,
  ]);
  expect(faults).toEqual([]);
  expect(listeners.map(({ address }) => address)).toEqual([
    { kind: 'tcp', host: '127.0.0.1', port: 1883 },
    { kind: 'tls', host: '127.0.0.1', port: 8883 },
    { kind: 'ws', host: '127.0.0.1', port: 8083, paths: ['/mqtt', '/'] },
    { kind: 'wss', host: '127.0.0.1', port: 8084, paths: ['/other/path'] },
  ]);
});

test.each([
  ['mqtt://127.0.0.1:1883', 'tcp://127.0.0.1:1883'],
  ['mqtts://[::1]', 'tls://[::1]'],
])('the URL of a client is met with the listener that was meant: %s', (given, meant) => {
  expect(messages([given])).toEqual([expect.stringMatching(/^listeners\[0\]: given "mqtt.*; did you mean "t/)]);
  expect(messages([given])[0]).toContain(`given "${given}", allowed: tcp://`);
  expect(messages([given])[0]).toContain(`did you mean "${meant}"?`);
});

test('every option in the file', () => {
  const { listeners, faults } = checkListeners([
    {
      url: 'wss://127.0.0.1',
      name: 'main',
      certificates: [one, other],
      clientCa: authority.ca,
      clientCertificates: 'request',
      minimumTlsVersion: 1.3,
      sessionResumption: false,
      proxy: 'required',
      trustedProxies: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1'],
      origins: ['https://example.com', 'null'],
      connectionsMax: 100,
      handshakeTimeoutSeconds: 3,
      allowAnonymous: true,
      authentication: ['jwt', 'password-file'],
    },
  ]);
  expect(faults).toEqual([]);
  expect(listeners[0]).toEqual({
    url: 'wss://127.0.0.1',
    name: 'main',
    address: { kind: 'wss', host: '127.0.0.1', port: 8084, paths: ['/mqtt', '/'] },
    allowAnonymous: true,
    authentication: ['jwt', 'password-file'],
    methods: [],
    connectionsMax: 100,
    handshakeTimeoutSeconds: 3,
    tls: {
      certificates: [one, other],
      clientCa: authority.ca,
      clientCrl: '',
      clientCertificates: 'request',
      minimumVersion: '1.3',
      ciphers: '',
      sessionResumption: false,
    },
    proxy: 'required',
    trustedProxies: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1'],
    origins: ['https://example.com', 'null'],
  });
});

test('X-Forwarded-For is for WebSockets, from proxies that are named', () => {
  const ws = 'ws://127.0.0.1:0?proxy=x-forwarded-for&trustedProxies=10.0.0.0/8';
  const { listeners, faults } = checkListeners([ws]);
  expect(faults).toEqual([]);
  expect(listeners[0]).toMatchObject({ proxy: 'x-forwarded-for', trustedProxies: ['10.0.0.0/8'] });
  expect(messages([ws.replace('ws:', 'tcp:')])).toEqual([
    'listeners[0].proxy: given "x-forwarded-for" for tcp:, allowed: off, required; only requests for WebSockets have headers',
  ]);
  expect(messages(['ws://127.0.0.1:0?proxy=x-forwarded-for'])).toEqual([
    expect.stringContaining('given "x-forwarded-for" without listeners[0].trustedProxies'),
  ]);
});

test('every option behind a URL', () => {
  const text =
    `wss://127.0.0.1/mqtt?name=main&cert=${one.cert}&key=${one.key}&clientCa=${authority.ca}&minimumTlsVersion=1.3` +
    '&sessionResumption=false&proxy=required&trustedProxies=10.0.0.0/8&trustedProxies=::1&origins=*&connectionsMax=7';
  const { listeners, faults } = checkListeners([text]);
  expect(faults).toEqual([]);
  expect(listeners[0]).toMatchObject({
    name: 'main',
    connectionsMax: 7,
    tls: { certificates: [one], clientCertificates: 'require', minimumVersion: '1.3', sessionResumption: false },
    trustedProxies: ['10.0.0.0/8', '::1'],
    origins: ['*'],
  });
});

describe('refused', () => {
  test('everything at once, each in its place', () => {
    const yaml = [
      'listeners:',
      '  - url: tcp://127.0.0.1',
      '    cert: a.pem',
      '    proxy: sometimes',
      '  - url: tls://127.0.0.1',
      '    trustedProxys: [10.0.0.0/8]',
      '  - url: ws://127.0.0.1',
      '    origins: [https://a.example, b.example]',
      '    trustedProxies: [10.0.0.0/33]',
      '',
    ].join('\n');
    const { settings } = parseFileLayer(yaml, 'dunlin.yaml');
    const { faults } = checkListeners(settings[0].value);
    expect(faults.map(({ inner, message }) => `${settings[0].locate(inner)}: ${message}`)).toEqual([
      'dunlin.yaml:4:12: listeners[0].proxy: given "sometimes", allowed: off, required, x-forwarded-for',
      'dunlin.yaml:6:5: unknown key listeners[1].trustedProxys',
      'dunlin.yaml:8:34: listeners[2].origins[1]: given "b.example", allowed: a list of origins (https://example.com, http://localhost:8080), null or *',
      'dunlin.yaml:9:22: listeners[2].trustedProxies[0]: given "10.0.0.0/33", allowed: a list of IP addresses or ranges (10.0.0.0/8)',
    ]);
  });

  test('options of another kind of listener', () => {
    expect(messages([{ url: 'tcp://127.0.0.1', cert: 'a', origins: ['*'] }])).toEqual([
      'listeners[0].cert: not for tcp:, allowed for: tls, wss',
      'listeners[0].origins: not for tcp:, allowed for: ws, wss',
    ]);
    expect(messages(['unix:/tmp/x?proxy=required&trustedProxies=10.0.0.1'])).toEqual([
      'listeners[0].proxy: not for unix:, allowed for: tcp, tls, ws, wss',
      'listeners[0].trustedProxies: not for unix:, allowed for: tcp, tls, ws, wss',
    ]);
    expect(messages(['tcp://127.0.0.1/mqtt'])[0]).toMatch(
      /^listeners\[0\]: given "tcp:\/\/127\.0\.0\.1\/mqtt", allowed: /,
    );
  });

  test('options that need each other', () => {
    const url = 'tls://127.0.0.1';
    expect(messages([url])).toEqual([`listeners[0]: given "${url}" without a certificate, allowed: with cert and key`]);
    expect(messages([{ url, cert: one.cert }])).toEqual([
      'listeners[0].cert: given without listeners[0].key, allowed: both',
    ]);
    expect(messages([{ url, ...one, certificates: [other] }])).toEqual([
      'listeners[0].cert: given beside listeners[0].certificates, allowed: one of the two',
    ]);
    expect(messages([{ url, ...one, clientCertificates: 'require' }])).toEqual([
      'listeners[0].clientCertificates: given "require" without listeners[0].clientCa, allowed: off; name the authorities of the certificates with clientCa',
    ]);
    expect(messages([{ url, ...one, clientCertificates: 'off', clientCa: authority.ca }])).toEqual([
      'listeners[0].clientCertificates: given "off" with listeners[0].clientCa, allowed: request, require',
    ]);
    expect(messages([{ url, ...one, proxy: 'required' }])[0]).toMatch(
      /given "required" without listeners\[0\]\.trustedProxies/,
    );
    expect(messages([{ url, ...one, trustedProxies: ['::1'] }])).toEqual([
      'listeners[0].trustedProxies: given without listeners[0].proxy: required',
    ]);
  });

  test('files that cannot be used', () => {
    const url = 'tls://127.0.0.1';
    const missing = join(authority.directory, 'none.pem');
    expect(messages([{ url, cert: missing, key: one.key }])).toEqual([
      `listeners[0].cert: the file ${missing} cannot be read: there is no such file`,
    ]);
    expect(messages([{ url, cert: garbage, key: one.key }])).toEqual([
      `listeners[0].cert: the file ${garbage} holds no certificate in PEM`,
    ]);
    expect(messages([{ url, cert: one.cert, key: garbage }])).toEqual([
      `listeners[0].key: the file ${garbage} holds no private key in PEM`,
    ]);
    expect(messages([{ url, cert: one.cert, key: locked }])).toEqual([
      `listeners[0].key: the file ${locked} is protected by a passphrase; write it without one`,
    ]);
    expect(messages([{ url, certificates: [one, { cert: one.cert, key: other.key }], clientCa: garbage }])).toEqual([
      `listeners[0].certificates[1].key: the key in ${other.key} does not belong to the certificate in ${one.cert}`,
      `listeners[0].clientCa: the file ${garbage} holds no certificate in PEM`,
    ]);
  });

  test('a chain in another order than from the certificate of the key to its authority', async () => {
    const between = await authority.intermediate('between');
    const { cert, key } = await between.issue('leaf.example');
    const chainOf = (...files: string[]) => {
      const chain = join(between.directory, 'chain.pem');
      writeFileSync(chain, files.map((file) => readFileSync(file, 'utf8')).join(''));
      return messages([{ url: 'tls://127.0.0.1', cert: chain, key }]);
    };
    const chain = join(between.directory, 'chain.pem');
    const order = 'the certificate of the key comes first, then the one of its issuer, and so on';
    expect(chainOf(cert)).toEqual([]);
    expect(chainOf(cert, between.ca)).toEqual([]);
    expect(chainOf(cert, between.ca, authority.ca)).toEqual([]);
    // Of nobody in the file: nothing that has an order.
    expect(chainOf(cert, other.cert)).toEqual([]);
    expect(chainOf(between.ca, cert)).toEqual([
      `listeners[0].cert: the certificates in ${chain} are in the wrong order: number 2 (CN=leaf.example) belongs to the key in ${key}, number 1 (CN=between) does not; ${order}`,
    ]);
    expect(chainOf(authority.ca, between.ca, cert)[0]).toContain('number 3 (CN=leaf.example) belongs to the key');
    expect(chainOf(cert, authority.ca, between.ca)).toEqual([
      `listeners[0].cert: the certificates in ${chain} are in the wrong order: number 1 (CN=leaf.example) was issued by number 3 (CN=between), not by number 2 (CN=test authority); ${order}`,
    ]);
    await between.remove();
  });
});

test('what is printed can be given back', () => {
  const text = `tls://127.0.0.1:1?cert=${one.cert}&key=${one.key}&clientCa=${authority.ca}&proxy=required&trustedProxies=::1`;
  const flags = [{ flag: '--listener', path: 'listeners', value: [text, 'ws://127.0.0.1:2/a?origins=*'] }];
  const { configuration, origins } = loadConfiguration({ flags });
  const printed = parse(printConfiguration(configuration, origins)) as { listeners: unknown };
  const again = checkListeners(printed.listeners);
  expect(again).toEqual({ listeners: configuration.listeners, faults: [] });
});

test('every option is in the reference', () => {
  const reference = configurationReference();
  for (const name of listenerOptionNames) {
    const { description, allowed } = listenerOptions[name].meta() ?? {};
    expect(reference).toContain(`| \`${name}\` | ${description} | ${allowed} |`);
  }
});
