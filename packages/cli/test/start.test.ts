import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { version } from '../src/version.ts';
import { Dunlin, run, startBroker } from './command.ts';

let directory: string;
let broker: Dunlin | null = null;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dunlin-cli-'));
});
afterEach(async () => {
  broker?.child.kill('SIGKILL');
  await broker?.finished;
  broker = null;
  rmSync(directory, { recursive: true });
});

describe('dunlin start', () => {
  test('says what it is and when it is ready', async () => {
    const started = await startBroker(['--workers', '2', '--node-id', 'a']);
    broker = started.broker;
    const [first, ready] = broker.log();
    expect(first).toMatchObject({ event: 'node.launched', version, node: 'a', workers: 2, store: 'memory' });
    expect(ready).toMatchObject({ event: 'node.started', node: 'a', listeners: [`tcp://127.0.0.1:${started.port}`] });
  });

  // The quickest of a few: other tests want the processors, too.
  test('is ready within 3 seconds', async () => {
    let quickest = Number.POSITIVE_INFINITY;
    for (let attempt = 0; attempt < 3; attempt++) {
      const begun = performance.now();
      const started = await startBroker(['--workers', '2']);
      quickest = Math.min(quickest, performance.now() - begun);
      started.broker.child.kill('SIGKILL');
      await started.broker.finished;
    }
    expect(quickest).toBeLessThan(3000);
  });

  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s with clients connected: exit code 0 within 5 seconds',
    async (signal) => {
      const started = await startBroker(['--workers', '2']);
      broker = started.broker;
      const subscriber = new Dunlin(['sub', '-p', started.port, '-t', 'a', '-d']);
      await subscriber.until('"suback"');
      // One that has not said anything, and never will.
      const silent = connect(Number(started.port), '127.0.0.1');
      await once(silent, 'connect');
      silent.on('error', () => {}); // reset, where the node has not taken it up when it stops
      const begun = performance.now();
      broker.child.kill(signal);
      expect((await broker.finished).code).toBe(0);
      expect(performance.now() - begun).toBeLessThan(5000);
      expect(broker.log().at(-1)).toMatchObject({ event: 'node.stopped' });
      silent.destroy();
      expect((await subscriber.finished).code).toBe(3);
    },
  );

  test('warns once of a key under its old name, with the new one', async () => {
    const started = await startBroker(['--workers', '1', '--set', 'limits.outboxBytesMax=70000']);
    broker = started.broker;
    const warnings = broker.log().filter(({ level }) => level === 'warn');
    expect(warnings).toEqual([
      expect.objectContaining({
        warning:
          'flag --set limits.outboxBytesMax: limits.outboxBytesMax is now called limits.outputBufferBytesMax; the old name still works',
      }),
    ]);
  });

  test('a signal while it starts stops it, too', async () => {
    broker = new Dunlin(['start', '--listener', 'tcp://127.0.0.1:0', '--store', 'memory']);
    await broker.until('"event":"node.launched"');
    broker.child.kill('SIGTERM');
    expect((await broker.finished).code).toBe(0);
  });

  test('SIGHUP reads the configuration again', async () => {
    const file = join(directory, 'dunlin.yaml');
    writeFileSync(file, 'log: { level: info }\n');
    const started = await startBroker(['--config', file, '--workers', '1']);
    broker = started.broker;
    writeFileSync(file, 'log: { level: warn }\nlimits: { inflightMax: 3 }\n');
    broker.child.kill('SIGHUP');
    await broker.until('limits.inflightMax');
    writeFileSync(file, 'log: { levle: warn }\n');
    broker.child.kill('SIGHUP');
    await broker.until('did you mean');
    expect(broker.child.exitCode).toBeNull();
  });

  test.each(['1', '2'])('a port that is taken: which listener, and what to do (%s workers)', async (workers) => {
    const started = await startBroker(['--workers', '1']);
    broker = started.broker;
    const url = `tcp://127.0.0.1:${started.port}`;
    const second = await run(['start', '--store', 'memory', '--workers', workers, '--listener', url]);
    expect(second.code).toBe(1);
    expect(second.errors).toMatch(
      new RegExp(
        `^dunlin: cannot listen at ${url}: .*EADDRINUSE.*; is another broker running\\?.* --listener tcp://127`,
      ),
    );
  });

  test('a wrong option: which help says what there is', async () => {
    expect((await run(['pub', '--bogus'])).errors).toContain('(see dunlin pub --help)');
    expect((await run(['config', 'check', '--bogus'])).errors).toContain('(see dunlin config check --help)');
  });

  test('a collector that is away is named with what is wrong, in a sentence', async () => {
    const endpoint = ['--set', 'tracing.endpoint=http://127.0.0.1:1', '--set', 'tracing.sampledPerMillion=1000000'];
    const started = await startBroker(['--workers', '1', ...endpoint]);
    broker = started.broker;
    await run(['pub', '-p', started.port, '-t', 'a', '-m', 'x']);
    await broker.until('traces cannot be sent');
    const { to, error } = broker.log().find(({ event }) => event === 'traces.send-failed') as Record<string, string>;
    expect(to).toContain('http://127.0.0.1:1');
    expect(error).toMatch(/^connection refused/);
  });

  test('rules that are broken at SIGHUP are one line without a stack: the old ones stay', async () => {
    const rules = join(directory, 'rules.yaml');
    writeFileSync(rules, '- {allow: all, topics: "#", anonymous: true}\n');
    const started = await startBroker(['--workers', '1', '--rules-file', rules]);
    broker = started.broker;
    writeFileSync(rules, '- {allow: all, usr: ann, topics: "#"}\n');
    broker.child.kill('SIGHUP');
    await broker.until('stay as they were');
    expect(broker.log().at(-1)).toMatchObject({
      level: 'error',
      event: 'access.reload-failed',
      error: expect.stringMatching(/rules\.yaml:1:16: unknown key usr/),
    });
    expect(broker.output).not.toContain('"event":"configuration.reloaded"');
  });

  test('through a link, as npm makes it', async () => {
    const link = join(directory, 'dunlin');
    symlinkSync(join(import.meta.dirname, '../bin/dunlin.js'), link);
    const child = spawn(process.execPath, ['--conditions=source', link, '--version'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [output] = await once(child.stdout, 'data');
    expect(String(output)).toBe(`${version}\n`);
  });
});

const refusals: [title: string, words: string[], errors: RegExp][] = [
  [
    'a wrong key',
    ['start', '--set', 'limits.recieveMaximum=1'],
    /flag --set limits\.recieveMaximum: unknown key .*did you mean "limits\.receiveMaximum"\?/,
  ],
  [
    'a listener that others reach, without allowAnonymous',
    ['start', '--listener', 'tcp://0.0.0.0:0'],
    /allowAnonymous: true/,
  ],
  [
    'a file that is not there',
    ['start', '--config', 'none.yaml'],
    /none\.yaml: the configuration file cannot be read: there is no such file/,
  ],
  [
    'a backplane without a store that nodes share',
    ['start', '--store', 'memory', '--backplane', 'nats://127.0.0.1:4222'],
    /flag --backplane: backplane\.url: given "nats:\/\/127\.0\.0\.1:4222" with store\.kind memory, allowed: .*store\.kind redis; give --store redis:/,
  ],
  ['a store that is none', ['start', '--store', 'redis'], /flag --store: store\.kind: redis needs store\.url: redis:/],
  ['a store of an unknown kind', ['start', '--store', 'rediss://'], /flag --store: store\.url: given/],
  ['--set without a value', ['start', '--set', 'workers'], /--set: given "workers", allowed: KEY=VALUE/],
  ['an unknown command', ['strat'], /unknown command 'strat'[\s\S]*start/],
  ['an unknown option', ['start', '--worker', '1'], /unknown option '--worker'/],
  ['a message twice', ['pub', '-t', 'a', '-m', 'x', '-n'], /use exactly one of -m, -f, -l, -s and -n/],
  ['no topic', ['pub', '-m', 'x'], /required option '-t, --topic <topic>'/],
  ['a QoS that is none', ['pub', '-t', 'a', '-m', 'x', '-q', '3'], /a whole number from 0 to 2/],
  ['a property without MQTT 5', ['pub', '-t', 'a', '-m', 'x', '-D', 'publish', 'content-type', 'a'], /-D needs -V 5/],
  [
    'an unknown property',
    ['pub', '-t', 'a', '-m', 'x', '-V', '5', '-D', 'publish', 'colour', 'a'],
    /-D publish: given "colour", allowed: .*content-type/,
  ],
  [
    'a property of another packet',
    ['pub', '-t', 'a', '-m', 'x', '-V', '5', '-D', 'publish', 'receive-maximum', '1'],
    /-D publish: given "receive-maximum", allowed: payload/,
  ],
  ['a kept session without a name', ['sub', '-t', 'a', '-c'], /-c needs -i/],
  ['a format that means nothing', ['sub', '-t', 'a', '-F', '%z'], /-F: given %z, allowed: %/],
  [
    'a wildcard in a topic',
    ['pub', '-t', 'a/#', '-m', 'x'],
    /-t: "a\/#" is not a topic name: a topic name holds a wildcard/,
  ],
  [
    'a filter that is none',
    ['sub', '-t', 'a/#/b'],
    /-t: "a\/#\/b" is not a topic filter: # is not the whole last level/,
  ],
  ['a URL of another protocol', ['sub', '-L', 'http://a/b'], /-L: given "http:\/\/a\/b", allowed: mqtt\[s\]:/],
  ['a URL and a host', ['sub', '-L', 'mqtt://a/b', '-h', 'c'], /-L says where the broker is; -h, -p and --unix/],
  ['an option of TLS without TLS', ['sub', '-t', 'a', '--insecure'], /--insecure is for TLS, which needs --cafile/],
  ['a certificate without its key', ['sub', '-L', 'mqtts://a/b', '--cert', 'x'], /--cert and --key belong together/],
  ['a version of TLS that is none', ['sub', '-t', 'a', '--tls-version', '1'], /Allowed: tlsv1\.2, tlsv1\.3/],
  [
    'authorities that cannot be read',
    ['sub', '-t', 'a', '--cafile', '/none'],
    /--cafile: the file \/none cannot be read: it does not exist/,
  ],
  [
    'a file that cannot be read',
    ['pub', '-t', 'a', '-f', '/nowhere/file'],
    /-f: the file \/nowhere\/file cannot be read: it does not exist/,
  ],
];

describe('refused with exit code 2 and a reason', () => {
  test.each(refusals)('%s', async (_title, words, errors) => {
    const { code, errors: said } = await run(words);
    expect(said).toMatch(errors);
    expect(code).toBe(2);
  });
});

describe('a file that is named and cannot be used: start and config check say the same, with exit code 2', () => {
  const files: [name: string, text: string, words: string[], errors: RegExp][] = [
    ['rules.yaml', '- { allow: all, usr: ann, topics: "#" }\n', ['--rules-file'], /rules\.yaml:1:17: unknown key usr/],
    ['users', 'ann:$9$what\n', ['--password-file'], /users:1/],
    ['jwt.pem', 'no key', ['--set', 'jwt.keyFile='], /jwt\.pem:1:1/],
    ['secret', 'short', ['--set', 'jwt.secretFile='], /a secret of 5 bytes; at least 32/],
    ['cert.pem', 'none', ['--listener', 'tls://127.0.0.1:0?key=none&cert='], /cert\.pem/],
    ['unused', '', ['--store', 'redis://127.0.0.1:0x1', '--config'], /store\.url.*redis:\/\/127\.0\.0\.1:0x1/],
  ];
  test.each(files)('%s', async (name, text, words, errors) => {
    const file = join(directory, name);
    writeFileSync(file, text);
    const given = words.at(-1)?.endsWith('=') ? [...words.slice(0, -1), `${words.at(-1)}${file}`] : [...words, file];
    for (const command of [['config', 'check'], ['start']]) {
      const { code, errors: said } = await run([...command, ...given]);
      expect(said).toMatch(errors);
      expect(code).toBe(2);
    }
  });
});

describe('help', () => {
  test.each([
    [[]],
    [['start']],
    [['pub']],
    [['sub']],
    [['config']],
    [['config', 'check']],
    [['config', 'init']],
    [['bench']],
  ])('dunlin %s --help', async (words) => {
    const { code, output } = await run([...words, '--help']);
    expect(code).toBe(0);
    expect(output).toMatch(new RegExp(`^Usage: dunlin ${words.join(' ')}`));
  });

  test('exit codes are explained', async () => {
    expect((await run(['--help'])).output).toMatch(/Exit codes:\n {2}0 {2}done/);
  });
});

describe('dunlin config', () => {
  test('check and print take a key under its old name, and say the new one on standard error', async () => {
    const old = ['--set', 'limits.outboxBytesMax=70000'];
    const warning =
      'warning: flag --set limits.outboxBytesMax: limits.outboxBytesMax is now called limits.outputBufferBytesMax; the old name still works\n';
    expect(await run(['config', 'check', ...old])).toEqual({
      code: 0,
      output: 'the configuration is good\n',
      errors: warning,
    });
    const printed = await run(['config', 'print', ...old]);
    expect(printed.errors).toBe(warning);
    expect(printed.output).toContain('  outputBufferBytesMax: 70000 # flag --set limits.outboxBytesMax\n');
  });

  test('init writes a file that check takes, and does not overwrite', async () => {
    const file = join(directory, 'new.yaml');
    expect((await run(['config', 'init', file])).code).toBe(0);
    expect((await run(['config', 'check', '--config', file])).output).toBe('the configuration is good\n');
    expect(await run(['config', 'init', file])).toMatchObject({
      code: 1,
      errors: expect.stringContaining('exists already'),
    });
  });

  test('print shows what holds and where it comes from', async () => {
    const { output } = await run(['config', 'print', '--workers', '1', '--set', 'limits.inflightMax=5']);
    expect(output).toContain('workers: 1 # flag --workers\n');
    expect(output).toContain('  inflightMax: 5 # flag --set limits.inflightMax\n');
    expect(output).toContain('  queuePolicy: drop-newest # default\n');
  });

  test('print shows where the store and the backplane are, without their passwords', async () => {
    const words = ['--store', 'redis://user:hunter2@host:6379', '--backplane', 'nats://hunter2@host', '--node-id', 'a'];
    const { output } = await run(['config', 'print', ...words]);
    expect(output).toContain('  kind: redis # flag --store\n');
    expect(output).toContain('  url: redis://user:***@host:6379 # flag --store\n');
    expect(output).toContain('  url: nats://***@host # flag --backplane\n');
    expect(output).not.toContain('hunter2');
  });

  test('print shows where keys of tokens are fetched, without the password', async () => {
    const { output } = await run(['config', 'print', '--set', 'jwt.jwksUrl=https://user:hunter2@host/keys']);
    expect(output).toContain('  jwksUrl: https://user:***@host/keys # flag --set jwt.jwksUrl\n');
  });

  test('schema prints the JSON schema', async () => {
    expect(JSON.parse((await run(['config', 'schema'])).output)).toMatchObject({
      title: 'Dunlin configuration',
      type: 'object',
    });
  });
});
