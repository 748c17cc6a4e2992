import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadConfiguration } from '@dunlin/config';
import { freePort, redisCall, ServerProcess } from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type ComposeProject, loadComposeFile, mountsOf, placeMounts, publishedBy } from '../src/compose-project.ts';
import { programPath } from '../src/programs.ts';
import type { DashboardDocument } from '../src/questions.ts';
import { repositoryRoot } from '../src/repository-root.ts';
import { imageUser } from '../src/unprivileged.ts';

const run = promisify(execFile);
const composeFile = join(repositoryRoot, 'docker-compose.yml');
const nodes = ['node-a', 'node-b', 'node-c'];

let project: ComposeProject;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dunlin-compose-'));
  project = await loadComposeFile(composeFile);
});

afterAll(() => rm(directory, { recursive: true, force: true }));

/** The files of a service, where it sees them, below a folder of their own. */
async function rootOf(service: string): Promise<string> {
  const root = await mkdtemp(join(directory, `${service}-`));
  await placeMounts(project.services[service], root);
  return root;
}

/** Named volumes of a service, and where it sees them. */
function volumesOf(service: string): Map<string, string> {
  const { volumes = [] } = project.services[service];
  return new Map(
    volumes.map((volume) => {
      if (typeof volume !== 'string') return [volume.source, volume.target];
      const [source, target] = volume.split(':');
      return [source, target];
    }),
  );
}

/** The command of a service with its files in `root`. */
function commandOf(service: string, root: string): string[] {
  const { command = [] } = project.services[service];
  const words = typeof command === 'string' ? command.split(' ') : command;
  return words.map((word) => (word.startsWith('/') && word.split('/').length > 2 ? join(root, word) : word));
}

describe('docker-compose.yml', () => {
  test('is taken by Compose, which would refuse a mistake', async () => {
    expect(Object.keys(project.services).sort()).toEqual(
      [...nodes, 'cluster-secret', 'grafana', 'haproxy', 'jaeger', 'nats', 'prometheus', 'redis'].sort(),
    );
    const wrong = join(directory, 'wrong.yml');
    await writeFile(wrong, (await readFile(composeFile, 'utf8')).replace('healthcheck:', 'healthchek:'));
    await expect(loadComposeFile(wrong)).rejects.toThrow('healthchek');
  });

  test('mounts what is there', async () => {
    const mounts = Object.values(project.services).flatMap(mountsOf);
    expect(mounts.length).toBeGreaterThan(8);
    for (const { source } of mounts) await stat(source);
    for (const entry of await readdir(join(repositoryRoot, 'compose'))) {
      const path = join(repositoryRoot, 'compose', entry);
      expect(mounts.some(({ source }) => source.startsWith(path), path)).toBe(true);
    }
  });

  test('publishes ports on loopback only: its nodes ask nobody who they are', () => {
    const ports = Object.values(project.services).flatMap(publishedBy);
    expect(ports).toContain('127.0.0.1:1883');
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  test('runs nodes that differ by their names alone, on a file system that they cannot write', () => {
    const names = nodes.map((name) => project.services[name].environment?.DUNLIN_NODE_ID);
    expect(new Set(names).size).toBe(nodes.length);
    const rest = nodes.map((name) => {
      const { environment, ...others } = project.services[name];
      return { ...others, environment: { ...environment, DUNLIN_NODE_ID: '' } };
    });
    expect(rest[1]).toEqual(rest[0]);
    expect(rest[2]).toEqual(rest[0]);
    expect(rest[0].read_only).toBe(true);
    expect(Object.keys(rest[0].depends_on ?? {}).sort()).toEqual(['cluster-secret', 'nats', 'redis']);
    expect(rest[0].depends_on?.['cluster-secret'].condition).toBe('service_completed_successfully');
  });
});

describe('what it mounts', () => {
  test.each(nodes)('the configuration of %s is taken by a node, and names the servers of the project', async (name) => {
    const { environment = {} } = project.services[name];
    const root = await rootOf(name);
    const file = join(root, environment.DUNLIN_CONFIG);
    const folder = volumesOf(name).get('cluster-secret') ?? '';
    await mkdir(join(root, folder), { recursive: true });
    await writeFile(join(root, folder, 'secret'), 'a secret that is made at the first start', { mode: 0o600 });
    // The one file that no mount of this project holds is looked for below the folder of the test.
    await writeFile(file, (await readFile(file, 'utf8')).replace(`${folder}/`, `${join(root, folder)}/`));
    const { configuration } = loadConfiguration({
      file,
      environment: { ...environment, DUNLIN_CONFIG: file },
      flags: [],
    });
    expect(configuration.nodeId).toBe(environment.DUNLIN_NODE_ID);
    expect(Object.keys(project.services)).toContain(new URL(configuration.store.url).hostname);
    expect(Object.keys(project.services)).toContain(new URL(configuration.backplane.url).hostname);
    expect(configuration.admin.address).toBe('0.0.0.0:9883');
    expect(configuration.cluster.secretFile).toBe(join(root, folder, 'secret'));
  });

  test('the nodes share a secret that nobody has committed: made once, for their user alone', async () => {
    const root = await rootOf('cluster-secret');
    const { entrypoint = [] } = project.services['cluster-secret'];
    const folder = volumesOf('cluster-secret').get('cluster-secret') ?? '';
    expect(new Set(nodes.map((name) => volumesOf(name).get('cluster-secret')))).toEqual(new Set([folder]));
    const volume = join(root, folder);
    await mkdir(volume, { recursive: true });
    const words = entrypoint.map((word) => (word.startsWith('/') ? join(root, word) : word));
    /** Without its program, where only root may give a file to somebody else. */
    const programs = join(root, 'programs');
    await mkdir(programs);
    await writeFile(join(programs, 'chown'), '#!/bin/sh\necho "$@" > "$2.owner"\n', { mode: 0o755 });
    const environment = { ...process.env, PATH: `${programs}:${process.env.PATH}` };
    await run(words[0], words.slice(1), { env: environment });
    const secret = await readFile(join(volume, 'secret'), 'utf8');
    expect(secret).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
    expect((await stat(join(volume, 'secret'))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(volume, 'secret.new.owner'), 'utf8')).toContain(`${imageUser}:${imageUser} `);
    await run(words[0], words.slice(1), { env: environment });
    expect(await readFile(join(volume, 'secret'), 'utf8')).toBe(secret);
    expect(await readFile(composeFile, 'utf8')).not.toContain(secret.trim());
  });

  test('HAProxy takes its files, and reaches every node', async () => {
    const root = await rootOf('haproxy');
    const [, ...args] = commandOf('haproxy', root);
    await run(programPath('haproxy'), ['-c', ...args]);
    const servers = (await readFile(join(root, 'usr/local/etc/haproxy/nodes.cfg'), 'utf8')).matchAll(
      /^ {2}server \S+ ([\w-]+):1883\b/gm,
    );
    expect([...servers].map(([, host]) => host)).toEqual(nodes);
  });

  test('NATS takes its file', async () => {
    await run(programPath('nats-server'), ['-t', ...commandOf('nats', await rootOf('nats'))]);
  });

  test('Redis starts with its file, and writes through to the disk', async () => {
    const port = await freePort();
    const root = await rootOf('redis');
    const [, file] = commandOf('redis', root);
    const redis = await ServerProcess.start({
      name: 'redis-server',
      command: programPath('redis-server'),
      args: [file, '--bind', '127.0.0.1', '--port', String(port), '--dir', root],
      isReady: (line) => line.includes('Ready to accept connections'),
    });
    try {
      for (const [name, value] of [
        ['appendonly', 'yes'],
        ['appendfsync', 'always'],
        ['maxmemory', String(1024 ** 3)],
        ['maxmemory-policy', 'noeviction'],
      ]) {
        expect(JSON.stringify(await redisCall(`redis://127.0.0.1:${port}`, ['CONFIG', 'GET', name]))).toContain(value);
      }
    } finally {
      await redis.stop();
    }
  });

  test('Prometheus takes its files, and asks every node', async () => {
    const root = await rootOf('prometheus');
    const file = join(root, 'etc/prometheus/prometheus.yml');
    const { stdout } = await run(programPath('promtool'), ['check', 'config', file]);
    expect(stdout).toMatch(/[1-9]\d* rules found/);
    const { scrape_configs } = parse(await readFile(file, 'utf8'));
    expect(scrape_configs[0].static_configs[0].targets).toEqual(nodes.map((name) => `${name}:9883`));
  });

  test('Grafana has a dashboard, which asks a source of data that it has', async () => {
    const root = await rootOf('grafana');
    const provisioning = join(root, 'etc/grafana/provisioning');
    const sources = parse(await readFile(join(provisioning, 'datasources/prometheus.yaml'), 'utf8')).datasources;
    for (const { url } of sources) expect(Object.keys(project.services)).toContain(new URL(url).hostname);
    const providers = parse(await readFile(join(provisioning, 'dashboards/dunlin.yaml'), 'utf8')).providers;
    const dashboards = join(root, providers[0].options.path);
    const files = await readdir(dashboards);
    expect(files).toContain('dunlin.json');
    const home = project.services.grafana.environment?.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH;
    expect(home).toBe(`${providers[0].options.path}/dunlin.json`);
    for (const file of files) {
      const { templating } = JSON.parse(await readFile(join(dashboards, file), 'utf8')) as DashboardDocument;
      const [variable] = templating.list.filter(({ type }) => type === 'datasource');
      expect(sources.map(({ uid, type }: { uid: string; type: string }) => `${type} ${uid}`)).toContain(
        `prometheus ${variable.current.value}`,
      );
    }
  });
});
