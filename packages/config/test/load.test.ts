import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Flag, parseAssignment } from '../src/flag-layer.ts';
import { ConfigurationError, keys, loadConfiguration, printConfiguration } from '../src/index.ts';
import { variableName } from '../src/keys.ts';

let directory: string;
let file: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-config-'));
  file = join(directory, 'dunlin.yaml');
});
afterAll(() => rmSync(directory, { recursive: true }));

interface Given {
  yaml?: string;
  environment?: NodeJS.ProcessEnv;
  flags?: Flag[];
  platform?: NodeJS.Platform;
}

function load(given: Given) {
  if (given.yaml !== undefined) writeFileSync(file, given.yaml);
  return loadConfiguration({ file: given.yaml === undefined ? undefined : file, platform: 'linux', ...given });
}

/** The lines of the error, with the directory of this run taken out. */
function refusal(given: Given): string[] {
  try {
    load(given);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    return (error as Error).message.replaceAll(`${directory}/`, '').split('\n');
  }
  throw new Error('the configuration was accepted');
}

const receiveMaximum = 'limits.receiveMaximum';
const listenerForms =
  'tcp://HOST[:PORT], tls://HOST[:PORT], ws://HOST[:PORT][/PATH], wss://HOST[:PORT][/PATH] or unix:PATH';
const refused: [title: string, given: Given, lines: string[]][] = [
  [
    'an unknown key, with the nearest one',
    { yaml: 'nodeID: a\n' },
    ['dunlin.yaml:1:1: unknown key nodeID; did you mean "nodeId"?'],
  ],
  [
    'an unknown key in a section',
    { yaml: 'limits:\n  recieveMaximum: 10\n' },
    ['dunlin.yaml:2:3: unknown key limits.recieveMaximum; did you mean "limits.receiveMaximum"?'],
  ],
  [
    'a key outside its section',
    { yaml: 'receiveMaximum: 10\n' },
    ['dunlin.yaml:1:1: unknown key receiveMaximum; did you mean "limits.receiveMaximum"?'],
  ],
  ['a key near to nothing', { yaml: 'zebra: 1\n' }, ['dunlin.yaml:1:1: unknown key zebra']],
  [
    'an address that is no URL',
    { yaml: 'jwt: { jwksUrl: "http://[" }\n' },
    ['dunlin.yaml:1:17: jwt.jwksUrl: given "http://[", allowed: an https or http URL'],
  ],
  [
    'text for a number',
    { yaml: 'limits:\n  receiveMaximum: ten\n' },
    ['dunlin.yaml:2:19: limits.receiveMaximum: given "ten", allowed: a whole number from 1 to 65535'],
  ],
  [
    'a number over its bound',
    { yaml: 'limits:\n  receiveMaximum: 65536\n' },
    ['dunlin.yaml:2:19: limits.receiveMaximum: given 65536, allowed: a whole number from 1 to 65535'],
  ],
  [
    'a QoS that is none',
    { yaml: 'limits: { maximumQos: 3 }\n' },
    ['dunlin.yaml:1:23: limits.maximumQos: given 3, allowed: 0, 1, 2'],
  ],
  [
    'a number for text',
    { yaml: 'nodeId: 7\n' },
    [
      'dunlin.yaml:1:9: nodeId: given 7, allowed: 1 to 64 letters, digits, dots, dashes and underscores; write it as text: "7"',
    ],
  ],
  [
    'a key without a value',
    { yaml: 'workers:\n' },
    ['dunlin.yaml:1:9: workers: given null, allowed: a whole number from 1 to 128'],
  ],
  [
    'a choice that is none',
    { yaml: 'store:\n  kind: lmbd\n' },
    ['dunlin.yaml:2:9: store.kind: given "lmbd", allowed: memory, lmdb, redis; did you mean "lmdb"?'],
  ],
  [
    'a value for a section',
    { yaml: 'log: loud\n' },
    ['dunlin.yaml:1:6: log: given "loud", allowed: a map of keys to values'],
  ],
  ['a list for the whole', { yaml: '- 1\n' }, ['dunlin.yaml:1:1: a configuration is a map of keys to values']],
  ['a key given twice', { yaml: 'workers: 1\nworkers: 2\n' }, ['dunlin.yaml:2:1: Map keys must be unique']],
  [
    'an unknown variable',
    { environment: { DUNLIN_WORKER: '1' } },
    ['environment DUNLIN_WORKER: no key has this variable; did you mean "DUNLIN_WORKERS"?'],
  ],
  [
    'a wrong variable',
    { environment: { DUNLIN_WORKERS: 'all' } },
    ['environment DUNLIN_WORKERS: workers: given "all", allowed: a whole number from 1 to 128'],
  ],
  [
    'an unknown flag',
    { flags: [{ flag: '--set', path: 'limits.inflight', value: '1' }] },
    ['flag --set limits.inflight: unknown key limits.inflight; did you mean "limits.inflightMax"?'],
  ],
  [
    'a wrong flag',
    { flags: [{ flag: '--workers', path: 'workers', value: '0' }] },
    ['flag --workers: workers: given 0, allowed: a whole number from 1 to 128'],
  ],
  [
    'a listener that others reach, not said out loud',
    { yaml: 'listeners:\n  - tcp://0.0.0.0:1883\n' },
    [
      'dunlin.yaml:2:5: listener tcp://0.0.0.0:1883 could be reached by other machines without a password; give --password-file FILE (dunlin passwd ' +
        '-c FILE USER writes one), listen on 127.0.0.1, or add allowAnonymous: true to this listener (in the short form: ?allowAnonymous=true) if that is meant',
    ],
  ],
  [
    'a listener that admits nobody',
    { yaml: 'listeners:\n  - { url: "tcp://127.0.0.1:1883", allowAnonymous: false }\n' },
    [
      'dunlin.yaml:2:5: listener tcp://127.0.0.1:1883 admits nobody: allowAnonymous is false and no other authentication is configured; ' +
        'remove allowAnonymous: false, or the listener',
    ],
  ],
  [
    'a listener without a scheme',
    { environment: { DUNLIN_LISTENERS: '127.0.0.1:1883' } },
    [
      `environment DUNLIN_LISTENERS: listeners[0]: given "127.0.0.1:1883", allowed: ${listenerForms}; did you mean "tcp://127.0.0.1:1883"?`,
    ],
  ],
  [
    'a port that is none',
    { environment: { DUNLIN_LISTENERS: 'tcp://127.0.0.1:65536' } },
    [`environment DUNLIN_LISTENERS: listeners[0]: given "tcp://127.0.0.1:65536", allowed: ${listenerForms}`],
  ],
  [
    'an unknown option of a listener',
    { yaml: 'listeners:\n  - url: tcp://127.0.0.1\n    allowAnonimous: true\n' },
    ['dunlin.yaml:3:5: unknown key listeners[0].allowAnonimous; did you mean "allowAnonymous"?'],
  ],
  [
    'an address taken twice',
    { environment: { DUNLIN_LISTENERS: 'tcp://localhost,tcp://LOCALHOST:1883?name=b' } },
    ['environment DUNLIN_LISTENERS: listeners[1]: localhost:1883 is taken twice'],
  ],
  [
    'no listener',
    { yaml: 'listeners: []\n' },
    [`dunlin.yaml:1:12: listeners: given [], allowed: a list of ${listenerForms}, or { url, name, allowAnonymous … }`],
  ],
  [
    'several workers where a port cannot be shared',
    { flags: [{ flag: '--workers', path: 'workers', value: '2' }], platform: 'darwin' },
    ['flag --workers: workers: given 2, allowed on this system: 1 (a port cannot be shared between sockets)'],
  ],
  [
    'a backplane without a store that nodes share',
    { yaml: 'backplane: { url: "nats://user:secret@host" }\nstore: { kind: memory }\n' },
    [
      'dunlin.yaml:1:19: backplane.url: given "nats://user:***@host" with store.kind memory, allowed: with a store that nodes share, store.kind redis; ' +
        'give --store redis://HOST:PORT, or leave the backplane out for a node alone',
    ],
  ],
  [
    'Redis that is nowhere',
    { environment: { DUNLIN_STORE_KIND: 'redis' } },
    [
      'environment DUNLIN_STORE_KIND: store.kind: redis needs store.url: redis://user:password@host:port/database, ' +
        'redis+sentinel://host:port,host:port/masterName or redis+cluster://host:port,host:port, each also with rediss for TLS',
    ],
  ],
  [
    'a URL of something else, without its password',
    { environment: { DUNLIN_STORE_URL: 'http://user:sec@ret@host' } },
    [
      'environment DUNLIN_STORE_URL: store.url: given "http://user:***@host", allowed: redis://user:password@host:port/database, ' +
        'redis+sentinel://host:port,host:port/masterName or redis+cluster://host:port,host:port, each also with rediss for TLS',
    ],
  ],
  [
    'NATS without a scheme',
    { yaml: 'store: { url: "redis://host" }\nbackplane: { url: "host:4222" }\n' },
    [
      'dunlin.yaml:2:19: backplane.url: given "host:4222", allowed: nats://[user:password@ or token@]host[:port], several with commas; tls:// for TLS',
    ],
  ],
  [
    'a password for a Redis that is the one of the store',
    { yaml: `deviceTokens: { passwordFile: ${import.meta.filename} }\n` },
    [
      'dunlin.yaml:1:31: deviceTokens.passwordFile: given without deviceTokens.redisUrl; the Redis of the store has store.passwordFile',
    ],
  ],
  [
    'replicas of an embedded store',
    { yaml: 'store: { durability: replicated }\n' },
    ['dunlin.yaml:1:22: store.durability: given "replicated", allowed with store.kind lmdb: fsync, memory'],
  ],
  [
    'a file with a password that is not there',
    { yaml: 'store: { url: "redis://host", passwordFile: /no/such/file }\n' },
    ['dunlin.yaml:1:45: store.passwordFile: the file /no/such/file cannot be read: there is no such file'],
  ],
  [
    'an address without a port',
    { flags: [{ flag: '--admin', path: 'admin.address', value: '127.0.0.1' }] },
    ['flag --admin: admin.address: given "127.0.0.1", allowed: HOST:PORT, an IPv6 address in brackets'],
  ],
  [
    'a cluster name that is no name',
    { yaml: 'cluster: { name: "a b" }\n' },
    ['dunlin.yaml:1:18: cluster.name: given "a b", allowed: 1 to 64 letters, digits, dots, dashes and underscores'],
  ],
  [
    'everything at once, also what another source overrides',
    { yaml: 'workers: x\nnodeID: a\n', environment: { DUNLIN_WORKERS: '1', DUNLIN_X: '1' } },
    [
      'dunlin.yaml:2:1: unknown key nodeID; did you mean "nodeId"?',
      'dunlin.yaml:1:10: workers: given "x", allowed: a whole number from 1 to 128',
      'environment DUNLIN_X: no key has this variable',
    ],
  ],
];

describe('refused', () => {
  test.each(refused)('%s', (_title, given, lines) => {
    expect(refusal(given).sort()).toEqual([...lines].sort());
  });

  test('a named file that is not there', () => {
    expect(() => loadConfiguration({ file: join(directory, 'none.yaml') })).toThrow(
      /none\.yaml: the configuration file cannot be read: there is no such file/,
    );
    expect(() => loadConfiguration({ environment: { DUNLIN_CONFIG: join(directory, 'none.yaml') } })).toThrow(
      /no such file/,
    );
  });

  test('text that is not YAML, with its place', () => {
    expect(refusal({ yaml: 'workers: 1\nlog: {\n' })[0]).toMatch(/^dunlin\.yaml:\d+:\d+: /);
  });
});

describe('accepted', () => {
  test('nothing at all: loopback only', () => {
    const { configuration } = loadConfiguration();
    expect(configuration.listeners.map((listener) => listener.address)).toEqual([
      { kind: 'tcp', host: '127.0.0.1', port: 1883 },
    ]);
    expect(configuration.store).toMatchObject({ kind: 'lmdb', path: './data', durability: 'fsync', url: '' });
    expect(configuration.drain).toEqual({ graceSeconds: 25, delaySeconds: 0, ratePerSecond: 0, serverReference: '' });
    expect(configuration.backplane.url).toBe('');
    expect(configuration.cluster.name).toBe('dunlin');
    expect(configuration.admin.address).toBe('');
    expect(configuration.limits.receiveMaximum).toBe(1000);
  });

  test('flags before environment before file before defaults', () => {
    const yaml = 'nodeId: file\nworkers: 3\nlimits: { receiveMaximum: 5, inflightMax: 6 }\n';
    const environment = { DUNLIN_WORKERS: '2', DUNLIN_LIMITS_RECEIVE_MAXIMUM: '7', OTHER: 'x' };
    const flags = [parseAssignment(`${receiveMaximum}=8`) as Flag];
    const { configuration, origins } = load({ yaml, environment, flags });
    expect(configuration).toMatchObject({
      nodeId: 'file',
      workers: 2,
      limits: { receiveMaximum: 8, inflightMax: 6, logPageMessages: 256 },
    });
    expect(origins.get(receiveMaximum)).toBe('flag --set limits.receiveMaximum');
    expect(origins.get('workers')).toBe('environment DUNLIN_WORKERS');
  });

  test('listeners in both forms', () => {
    const yaml =
      'listeners:\n  - tcp://[::1]\n  - unix:/run/d.sock\n  - { url: "tcp://0.0.0.0:1884", name: open, allowAnonymous: true }\n';
    expect(load({ yaml }).configuration.listeners).toMatchObject([
      {
        url: 'tcp://[::1]',
        name: 'tcp://[::1]',
        allowAnonymous: true,
        methods: [],
        address: { kind: 'tcp', host: '::1', port: 1883 },
      },
      {
        url: 'unix:/run/d.sock',
        name: 'unix:/run/d.sock',
        allowAnonymous: true,
        methods: [],
        address: { kind: 'unix', path: '/run/d.sock' },
      },
      {
        url: 'tcp://0.0.0.0:1884',
        name: 'open',
        allowAnonymous: true,
        methods: [],
        address: { kind: 'tcp', host: '0.0.0.0', port: 1884 },
      },
    ]);
    const [listener] = load({ environment: { DUNLIN_LISTENERS: 'tcp://0.0.0.0?allowAnonymous=true&name=all' } })
      .configuration.listeners;
    expect(listener).toMatchObject({ url: 'tcp://0.0.0.0', name: 'all', allowAnonymous: true });
  });

  test('a section with nothing under it', () => {
    expect(load({ yaml: 'limits:\n  # receiveMaximum: 1\n' }).configuration.limits.receiveMaximum).toBe(1000);
  });

  test('a URL of Redis means Redis, and promises what every Redis can promise', () => {
    const { store } = load({ yaml: 'store: { url: "redis://host:1" }\n' }).configuration;
    expect(store).toMatchObject({ kind: 'redis', url: 'redis://host:1', durability: 'memory' });
    const asked = load({ yaml: 'store: { url: "redis://host:1", durability: fsync, kind: redis }\n' }).configuration
      .store;
    expect(asked).toMatchObject({ kind: 'redis', durability: 'fsync' });
    const other = load({ yaml: 'store: { url: "redis://host:1" }\n', environment: { DUNLIN_STORE_KIND: 'memory' } });
    expect(other.configuration.store).toMatchObject({ kind: 'memory', durability: 'fsync' });
  });

  test('a cluster: Redis, NATS and a name', () => {
    const yaml =
      'cluster: { name: east }\nstore: { url: "rediss+cluster://h1:1,h2:2" }\nbackplane: { url: "nats://token@h1,nats://h2" }\n';
    expect(load({ yaml }).configuration).toMatchObject({
      cluster: { name: 'east' },
      store: { kind: 'redis', url: 'rediss+cluster://h1:1,h2:2' },
      backplane: { url: 'nats://token@h1,nats://h2' },
    });
  });

  test('a drain waits for load balancers in a cluster, and leaves time for its end', () => {
    const cluster = 'store: { url: "redis://h:1" }\nbackplane: { url: "nats://h" }\n';
    const delayOf = (yaml: string): number => load({ yaml }).configuration.drain.delaySeconds;
    expect(delayOf(cluster)).toBe(1);
    expect(delayOf(`${cluster}drain: { graceSeconds: 5 }\n`)).toBe(0);
    expect(delayOf(`${cluster}drain: { delaySeconds: 0 }\n`)).toBe(0);
    expect(delayOf('drain: { delaySeconds: 20 }\n')).toBe(20);
    expect(refusal({ yaml: 'drain: { graceSeconds: 10, delaySeconds: 6 }\n' })).toEqual([
      'dunlin.yaml:1:42: drain.delaySeconds: given 6, allowed: 0 to 5 with drain.graceSeconds 10, of which the end takes 5',
    ]);
  });

  test('passwords are not printed', () => {
    const { configuration, origins } = load({
      yaml: 'store: { url: "redis://user:p@ss/w:1@host:1" }\nbackplane: { url: "nats://t0ken@h1,nats://h2" }\n',
    });
    const printed = printConfiguration(configuration, origins);
    expect(printed).toContain('  url: redis://user:***@host:1 # ');
    expect(printed).toContain('  url: nats://***@h1,nats://h2 # ');
    expect(printed).not.toMatch(/p@ss|t0ken/);
  });

  test('what is printed can be given back', () => {
    const first = load({
      yaml: 'nodeId: "7"\nlisteners: [unix:/tmp/x, tcp://127.0.0.1:0]\nlimits: { queuePolicy: disconnect }\n',
    });
    const again = load({ yaml: printConfiguration(first.configuration, first.origins) });
    expect(again.configuration).toEqual(first.configuration);
  });
});

/** Lists take nothing empty. */
const lists = new Map([
  ['listeners', 'tcp://127.0.0.1:0'],
  ['authentication.methods', 'client-certificate'],
  ['jwt.claims', 'sub=%u'],
  ['admin.hosts', 'dunlin.example'],
]);

describe('every key', () => {
  test.each(keys.map((key) => [key.path, key] as const))(
    '%s has a description, a variable and a flag',
    (_path, key) => {
      expect(key.description).toMatch(/^[A-Z`].*[.]$/);
      expect(key.allowed).not.toBe('');
      expect(key.variable).toBe(variableName(key.path));
      const text = lists.get(key.path) ?? String(key.type.parse(undefined));
      const read = (part: Given) => load(part).origins.get(key.path);
      expect(read({ environment: { [key.variable]: text } })).toBe(`environment ${key.variable}`);
      expect(read({ flags: [parseAssignment(`${key.path}=${text}`) as Flag] })).toBe(`flag --set ${key.path}`);
    },
  );
});
