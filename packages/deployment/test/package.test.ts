/** The package that users install, in an empty folder: whatever it reads and loads while it runs is in it. */
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startNats, startRedis } from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeNpmPackage, type NpmPackage } from '../src/release/npm-package.ts';
import { productionPackages } from '../src/release/production-lock.ts';
import { InstalledPackage } from './installed-package.ts';

const installMilliseconds = 120_000;
/** Each test starts about ten processes, which a busy machine takes its time for; alone the longest takes ten seconds. */
const commandsMilliseconds = 90_000;
/** Size of an installed package on disk, with everything that it depends on. */
const installedMebibytesMax = 60;

let directory: string;
let npmPackage: NpmPackage;
let dunlin: InstalledPackage;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dunlin-package-'));
  npmPackage = await makeNpmPackage({ into: directory, repository: 'git+https://git.example.com/dunlin.git' });
  dunlin = await InstalledPackage.install(npmPackage.tarball, join(directory, 'installed'));
}, installMilliseconds);
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Blocks of 512 bytes that files below a folder occupy, in bytes. */
async function bytesOnDisk(root: string): Promise<number> {
  const entries = await readdir(root, { recursive: true });
  const sizes = await Promise.all(entries.map(async (entry) => (await stat(join(root, entry))).blocks * 512));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** An HTTP server that remembers where something was sent, with its content type. */
async function collector(): Promise<{ url: string; received: Promise<string>; close(): void }> {
  const received = Promise.withResolvers<string>();
  const server = createServer((request, response) => {
    response.end();
    received.resolve(`${request.url} ${request.headers['content-type']}`);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, received: received.promise, close: () => server.close() };
}

describe('the package', () => {
  test('says what it is, what it needs, and has no install script', async () => {
    const manifest = JSON.parse(await readFile(join(dunlin.directory, 'node_modules/dunlin/package.json'), 'utf8'));
    expect(manifest).toMatchObject({
      name: 'dunlin',
      license: 'Apache-2.0',
      repository: { type: 'git', url: 'git+https://git.example.com/dunlin.git' },
      bin: { dunlin: 'bin/dunlin.js' },
    });
    expect(manifest).not.toHaveProperty('scripts');
    expect(manifest).not.toHaveProperty('devDependencies');
    expect(Object.keys(manifest.dependencies)).toEqual(['lmdb']);
    // The command refuses what the manifest refuses.
    const command = await readFile(join(dunlin.directory, 'node_modules/dunlin/bin/dunlin.js'), 'utf8');
    expect(manifest.engines.node).toBe(`>=${/oldestMajor = (\d+)/.exec(command)?.[1]}`);
  });

  test('holds what runs, with the licences of what is copied into it, and nothing that only development needs', async () => {
    const files = await readdir(join(dunlin.directory, 'node_modules/dunlin'), { recursive: true });
    for (const file of [
      'LICENSE',
      'README.md',
      'CHANGELOG.md',
      'dunlin.schema.json',
      'dashboard/index.html',
      'monitoring/grafana-dashboard.json',
    ])
      expect(files).toContain(file);
    expect(files.filter((file) => file.endsWith('.ts') || file.includes('test'))).toEqual([]);
    const licences = await readFile(join(dunlin.directory, 'node_modules/dunlin/THIRD-PARTY-LICENCES.txt'), 'utf8');
    expect(licences).toMatch(/^ioredis \S+ \(MIT\)$/m);
    const production = Object.keys(productionPackages().locked).map((place) => place.replace('node_modules/', ''));
    expect(npmPackage.bundled.length).toBeGreaterThan(30);
    expect(npmPackage.bundled.filter((name) => !production.includes(name))).toEqual([]);
    expect(npmPackage.bundled.filter((name) => !licences.includes(`${name} `))).toEqual([]);
  });

  test(`takes less than ${installedMebibytesMax} MB once it is installed`, async () => {
    const megabytes = (await bytesOnDisk(join(dunlin.directory, 'node_modules'))) / 1e6;
    expect(megabytes).toBeGreaterThan(1);
    expect(megabytes).toBeLessThan(installedMebibytesMax);
  });
});

describe('installed', { timeout: commandsMilliseconds }, () => {
  test('keeps messages on disk over a kill, with worker threads; pub, sub and bench reach it', async () => {
    const words = ['--workers', '2', '--data', 'kept'];
    const first = await dunlin.start(words);
    expect(await dunlin.run(['sub', '-p', first.port, '-c', '-i', 'cellar', '-t', 'a/#', '-q', '2', '-E'])).toEqual({
      ...{ code: 0, output: '' },
    });
    expect((await dunlin.run(['pub', '-p', first.port, '-t', 'a/b', '-m', 'rising', '-q', '2'])).code).toBe(0);
    const bench = ['bench', `mqtt://127.0.0.1:${first.port}`, '--scenario', 'ping', '--seconds', '1', '--json'];
    expect(JSON.parse((await dunlin.run(bench)).output)).toHaveLength(1);
    await first.node.kill();

    const second = await dunlin.start(words);
    const kept = ['sub', '-p', second.port, '-c', '-i', 'cellar', '-t', 'a/#', '-q', '2', '-C', '1'];
    expect(await dunlin.run(kept)).toEqual({ code: 0, output: 'rising\n' });
    expect(await second.node.stop()).toBe(0);
  });

  test('two nodes share Redis and NATS, with their scripts, metrics, and tracing in both forms', async () => {
    await using servers = new AsyncDisposableStack();
    const redis = servers.adopt(await startRedis(), (server) => server.stop());
    const nats = servers.adopt(await startNats(), (server) => server.stop());
    const traces = [await collector(), await collector()];
    for (const trace of traces) servers.defer(() => trace.close());
    const shared = ['--workers', '1', '--store', redis.url, '--backplane', nats.url];
    const traced = (url: string) => ['--set', `tracing.endpoint=${url}`, '--set', 'tracing.sampledPerMillion=1000000'];
    const admin = `127.0.0.1:${await freePort()}`;
    const one = await dunlin.start([...shared, '--node-id', 'one', '--admin', admin, ...traced(traces[0].url)]);
    const two = await dunlin.start([...shared, '--node-id', 'two', ...traced(traces[1].url)], {
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    });
    servers.defer(async () => void (await Promise.all([one.node.stop(), two.node.stop()])));

    expect((await dunlin.run(['sub', '-p', one.port, '-c', '-i', 'attic', '-t', 'a', '-q', '1', '-E'])).code).toBe(0);
    expect((await dunlin.run(['pub', '-p', two.port, '-t', 'a', '-m', 'warm', '-q', '1', '-r'])).code).toBe(0);
    const kept = ['sub', '-p', two.port, '-c', '-i', 'attic', '-t', 'a', '-q', '1', '-C', '1'];
    expect(await dunlin.run(kept)).toEqual({ code: 0, output: 'warm\n' });
    expect((await dunlin.run(['pub', '-p', one.port, '-t', 'b', '-m', 'x', '-q', '1'])).code).toBe(0);
    expect(await (await fetch(`http://${admin}/metrics`)).text()).toContain('dunlin_build_info');
    expect(await Promise.all(traces.map(({ received }) => received))).toEqual([
      '/v1/traces application/x-protobuf',
      '/v1/traces application/json',
    ]);
    const added = await dunlin.run(['token', 'add', '--set', `store.url=${redis.url}`, '--set', 'store.kind=redis']);
    expect(added).toMatchObject({ code: 0 });
  });

  test('checks clients by a password file and rules of a configuration file, over WebSocket', async () => {
    expect(await dunlin.run(['passwd', '-c', 'users', 'ann'], 'secret\n')).toMatchObject({ code: 0 });
    await writeFile(join(dunlin.directory, 'rules.yaml'), '- { allow: all, user: ann, topics: "#" }\n');
    const webSocketPort = await freePort();
    const lines = [
      'store: { kind: memory }',
      'workers: 1',
      'authentication: { passwordFile: users }',
      'authorization: { rulesFile: rules.yaml }',
    ];
    await writeFile(join(dunlin.directory, 'dunlin.yaml'), `${lines.join('\n')}\n`);
    const listener = ['--listener', `ws://127.0.0.1:${webSocketPort}/mqtt`];
    const { node } = await dunlin.start(['--config', 'dunlin.yaml', ...listener]);
    const publish = [
      'pub',
      '-L',
      `ws://127.0.0.1:${webSocketPort}/mqtt`,
      '-t',
      'a',
      '-m',
      'x',
      '-q',
      '1',
      '-u',
      'ann',
      '-P',
    ];
    expect(await dunlin.run([...publish, 'secret'])).toEqual({ code: 0, output: '' });
    expect((await dunlin.run([...publish, 'wrong'])).code).toBe(3);
    expect(await node.stop()).toBe(0);
  });

  test('writes, checks and prints a configuration, and has its schema', async () => {
    expect(await dunlin.run(['config', 'init', 'written.yaml'])).toMatchObject({ code: 0 });
    expect(await dunlin.run(['config', 'check', '--config', 'written.yaml'])).toMatchObject({ code: 0 });
    expect((await dunlin.run(['config', 'print', '--config', 'written.yaml'])).output).toContain(
      'tcp://127.0.0.1:1883',
    );
    const schema = JSON.parse((await dunlin.run(['config', 'schema'])).output);
    const file = join(dunlin.directory, 'node_modules/dunlin/dunlin.schema.json');
    expect(schema).toEqual(JSON.parse(await readFile(file, 'utf8')));
    expect((await dunlin.run(['--version'])).output).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
