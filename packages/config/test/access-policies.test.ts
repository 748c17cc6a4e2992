import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Configuration, ConfigurationError, loadConfiguration } from '../src/index.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-listeners-'));
  writeFileSync(join(directory, 'users'), '');
});
afterEach(() => rmSync(directory, { recursive: true }));

/** `USERS` stands for a file that is there. */
function load(yaml: string): Configuration {
  const file = join(directory, 'dunlin.yaml');
  writeFileSync(file, yaml.replaceAll('USERS', join(directory, 'users')));
  return loadConfiguration({ file, platform: 'linux' }).configuration;
}

function refusal(yaml: string): string {
  try {
    load(yaml);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    return (error as Error).message.replaceAll(`${directory}/`, '');
  }
  throw new TypeError('the configuration was accepted');
}

describe('access policies', () => {
  test('loopback without anything is open, and closed as soon as clients must prove who they are', () => {
    expect(load('').listeners[0]).toMatchObject({ allowAnonymous: true, methods: [] });
    const [listener] = load('authentication: { passwordFile: USERS }\n').listeners;
    expect(listener).toMatchObject({ allowAnonymous: false, methods: ['password-file'] });
  });

  test('authentication opens listeners that others reach', () => {
    const { listeners } = load(
      'authentication: { passwordFile: USERS }\nlisteners: [tcp://0.0.0.0, "tcp://[::1]:1"]\n',
    );
    expect(listeners.map(({ allowAnonymous, methods }) => ({ allowAnonymous, methods }))).toEqual([
      { allowAnonymous: false, methods: ['password-file'] },
      { allowAnonymous: false, methods: ['password-file'] },
    ]);
  });

  test('what is configured is tried in the order of the table; another order is written', () => {
    const keys = 'jwt: { secretFile: USERS }\n';
    expect(load(`${keys}authentication: { passwordFile: USERS }\n`).listeners[0].methods).toEqual([
      'jwt',
      'password-file',
    ]);
    const own = 'authentication: { passwordFile: USERS, methods: [password-file, client-certificate, jwt] }\n';
    expect(load(keys + own).listeners[0].methods).toEqual(['password-file', 'client-certificate', 'jwt']);
  });

  test('a listener with methods of its own, and one that says that it is open', () => {
    const { listeners } = load(
      'jwt: { secretFile: USERS }\nlisteners:\n  - { url: "tcp://0.0.0.0:1", authentication: [jwt] }\n' +
        '  - { url: "tcp://0.0.0.0:2", authentication: [jwt], allowAnonymous: true }\n' +
        '  - { url: "tcp://127.0.0.1:3", authentication: [], allowAnonymous: true }\n',
    );
    expect(listeners.map(({ allowAnonymous, methods }) => [allowAnonymous, ...methods])).toEqual([
      [false, 'jwt'],
      [true, 'jwt'],
      [true],
    ]);
  });
});

const refused: [title: string, yaml: string, message: string][] = [
  [
    'all interfaces without authentication',
    'listeners: [tcp://0.0.0.0]\n',
    'dunlin.yaml:1:13: listener tcp://0.0.0.0 could be reached by other machines without a password; give --password-file FILE',
  ],
  [
    'authentication that is configured and empty, where others reach',
    'authentication: { methods: [] }\nlisteners: [tcp://0.0.0.0]\n',
    'could be reached by other machines without a password',
  ],
  [
    'authentication that is configured and empty',
    'authentication: { methods: [] }\n',
    'listeners: listener tcp://127.0.0.1:1883 admits nobody',
  ],
  [
    'a listener with an empty list',
    'authentication: { passwordFile: USERS }\nlisteners:\n  - { url: "tcp://127.0.0.1:1", authentication: [] }\n',
    'dunlin.yaml:3:5: listener tcp://127.0.0.1:1 admits nobody: its authentication is an empty list; name a method',
  ],
  [
    'a method without its file',
    'authentication: { methods: [password-file] }\n',
    'password-file needs authentication.passwordFile',
  ],
  [
    'a method without keys',
    'authentication: { methods: [jwt] }\n',
    'jwt needs jwt.keyFile, jwt.secretFile or jwt.jwksUrl',
  ],
  ['tokens without Redis', 'authentication: { methods: [redis-token] }\n', 'redis-token needs deviceTokens.redisUrl'],
  [
    'a method without keys, of one listener',
    'listeners:\n  - { url: "tcp://127.0.0.1:1", authentication: [jwt] }\n',
    'dunlin.yaml:2:5: listeners[0].authentication: jwt needs',
  ],
  [
    'an unknown method',
    'listeners:\n  - { url: "tcp://127.0.0.1:1", authentication: [password] }\n',
    'dunlin.yaml:2:50: listeners[0].authentication[0]: given "password", allowed: a list of client-certificate, jwt',
  ],
  [
    'a file that is not there',
    'authentication: { passwordFile: nowhere }\n',
    'dunlin.yaml:1:33: authentication.passwordFile: the file nowhere cannot be read: there is no such file',
  ],
];

test.each(refused)('refused: %s', (_title, yaml, message) => {
  expect(refusal(yaml)).toContain(message);
});
