import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { loadConfiguration } from '@dunlin/config';
import {
  freePort,
  type NatsProcess,
  type RedisServer,
  redisCall,
  ServerProcess,
  startNats,
  startRedis,
} from '@dunlin/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assignments, execForm, parseDockerfile } from '../src/dockerfile.ts';
import { type KubernetesObject, only, render, type ValuesName, valuesFile, valuesNames } from '../src/helm.ts';
import { type Contents, placePod } from '../src/pod.ts';
import { repositoryRoot } from '../src/repository-root.ts';
import { publishAndReceive } from './delivered-message.ts';

const redisPassword = 'of redis, "quoted" and with #';
const natsPassword = 'of-nats';
const startMilliseconds = 60_000;

let directory: string;
let redis: RedisServer;
let nats: NatsProcess;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dunlin-manifest-'));
  redis = await startRedis({ password: redisPassword, appendOnly: true });
  nats = await startNats({ user: 'dunlin', password: natsPassword });
});

afterAll(async () => {
  await nats?.stop();
  await redis?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Pod as Kubernetes would start it, in this checkout. */
interface Pod {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly mqtt: number;
  readonly admin: number;
}

/** The image: its ENV and its ENTRYPOINT, with the command of this checkout instead of /dunlin. */
async function image(): Promise<{ entryPoint: string[]; environment: Record<string, string> }> {
  const stage = parseDockerfile(await readFile(join(repositoryRoot, 'Dockerfile'), 'utf8')).at(-1);
  const texts = (name: string) =>
    (stage?.instructions ?? []).filter((each) => each.name === name).map(({ text }) => text);
  const words = execForm(texts('ENTRYPOINT')[0]) ?? [];
  const entryPoint = words.map((word) => word.replace('/dunlin', repositoryRoot));
  return { entryPoint, environment: Object.assign({}, ...texts('ENV').map(assignments)) };
}

async function placed(objects: readonly KubernetesObject[], podName: string, contents: Contents): Promise<Pod> {
  const { entryPoint, environment } = await image();
  const [mqtt, admin] = [await freePort(), await freePort()];
  const root = join(directory, podName);
  // The one thing that a pod has and this machine has not: an address, and servers, of its own.
  const edit = (text: string) =>
    text
      .replace('0.0.0.0:1883', `127.0.0.1:${mqtt}`)
      .replace('0.0.0.0:9883', `127.0.0.1:${admin}`)
      .replace('redis:6379', `127.0.0.1:${redis.port}`)
      .replace('nats:4222', `127.0.0.1:${nats.port}`);
  const container = await placePod(objects, { podName, root, contents, edit });
  const [node, ...words] = entryPoint;
  expect(node).toBe('node');
  return {
    command: [process.execPath, '--conditions=source', ...words, ...container.args],
    environment: { ...environment, ...container.environment },
    mqtt,
    admin,
  };
}

function runCommand([file, ...args]: readonly string[]): Promise<{ stdout: string }> {
  return promisify(execFile)(file, args);
}

/** Starts it with this environment and no other variable but PATH. */
function start({ command, environment }: Pod): Promise<ServerProcess> {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return ServerProcess.start({
    name: 'dunlin',
    command: 'env',
    args: ['-i', `--chdir=${directory}`, `PATH=${dirname(process.execPath)}`, ...variables, ...command],
    isReady: (line) => line.includes('"event":"node.started"'),
    startMilliseconds,
  });
}

describe('a node as the chart starts it', () => {
  const further = [
    ...['--set', 'redis.url=redis://default@redis:6379,redis.existingSecret=redis,redis.passwordKey=redis-password'],
    ...['--set', 'nats.url=nats://dunlin@nats:4222,nats.existingSecret=nats'],
    ...['--set', 'workers=1,cluster.name=manifest'],
  ];
  const contents: Contents = { redis: { 'redis-password': redisPassword }, nats: { password: natsPassword } };

  test('gets its name from the pod, passwords from files, and serves with another', { timeout: 120_000 }, async () => {
    const objects = await render(valuesFile('minimal'), further);
    const pods = [await placed(objects, 'mqtt-dunlin-5d9c7-abcde', contents)];
    pods.push(await placed(objects, 'mqtt-dunlin-5d9c7-fghij', contents));
    const nodes = await Promise.all(pods.map(start));
    try {
      await publishAndReceive(pods[0].mqtt, pods[1].mqtt);
      const { readinessProbe, livenessProbe } = only(objects, 'Deployment').spec.template.spec.containers[0];
      for (const { httpGet } of [readinessProbe, livenessProbe]) {
        const response = await fetch(`http://127.0.0.1:${pods[0].admin}${httpGet.path}`);
        expect(response.status, await response.text()).toBe(200);
      }
      for (const [index, node] of nodes.entries())
        expect(node.output()).toContain(pods[index].environment.DUNLIN_NODE_ID);
      const keys = String(await redisCall(redis.url, ['KEYS', '*']));
      expect(keys).toContain('manifest');
      expect(nodes.map((node) => node.output()).join('\n')).not.toContain(natsPassword);
    } finally {
      const codes = await Promise.all(nodes.map((node) => node.stop()));
      expect(codes).toEqual([0, 0]);
    }
  });

  test('passes the test that helm runs in the cluster', { timeout: 120_000 }, async () => {
    const objects = await render(valuesFile('minimal'), further);
    const pod = await placed(objects, 'mqtt-dunlin-5d9c7-klmno', contents);
    const [node, ...words] = (await image()).entryPoint;
    const command = [process.execPath, '--conditions=source', ...words];
    expect(node).toBe('node');
    const { initContainers, containers } = only(objects, 'Pod').spec;
    const here = (args: string[]) =>
      args.map((word) => word.replace('mqtt://mqtt-dunlin:1883', `mqtt://127.0.0.1:${pod.mqtt}`));
    const running = await start(pod);
    try {
      for (const container of initContainers) await runCommand([...command, ...here(container.args)]);
      const { stdout } = await runCommand([...command, ...here(containers[0].args)]);
      expect(stdout).toBe('here\n');
    } finally {
      await running.stop();
    }
  });

  test('a Secret without the key is found out before a node starts', async () => {
    const objects = await render(valuesFile('minimal'), further);
    await expect(placed(objects, 'without', { ...contents, redis: { password: 'elsewhere' } })).rejects.toThrow(
      'names the key redis-password of redis',
    );
  });

  test('would not start with the variables that a Service named dunlin brings', () => {
    const environment = { DUNLIN_PORT: 'tcp://10.96.0.7:1883' };
    expect(() => loadConfiguration({ environment, flags: [] })).toThrow('DUNLIN_PORT');
  });
});

/** A values file, and the Secrets and ConfigMaps that it names, with their keys. */
const written: readonly { name: ValuesName; names: Readonly<Record<string, readonly string[]>> }[] = [
  { name: 'minimal', names: {} },
  { name: 'trial', names: {} },
  {
    name: 'production',
    names: {
      'dunlin-redis': ['password'],
      'dunlin-nats': ['password'],
      'dunlin-nodes': ['secret'],
      'mqtt-users': ['passwords'],
      'mqtt-rules': ['rules'],
    },
  },
  {
    name: 'tls',
    names: {
      'mqtt-certificate': ['tls.crt', 'tls.key'],
      'device-authority': ['ca.crt'],
      'redis-tls': ['ca.crt', 'tls.crt', 'tls.key'],
      'nats-tls': ['ca.crt'],
      'nats-user': ['nats.creds'],
    },
  },
  {
    name: 'sentinel',
    names: { redis: ['redis-password'], sentinel: ['password'], 'nats-token': ['token'] },
  },
  { name: 'redis-cluster', names: { redis: ['password'], 'redis-authority': ['ca.crt'] } },
  {
    name: 'everything',
    names: {
      certificate: ['chain.pem', 'key.pem', 'tls.crt', 'tls.key'],
      devices: ['ca.pem'],
      'everything-nodes': ['key'],
      users: ['passwords'],
      rules: ['rules'],
    },
  },
];

describe('the configuration that the chart writes', () => {
  let certificate: string;
  let key: string;

  beforeAll(async () => {
    const [certificateFile, keyFile] = [join(directory, 'certificate.pem'), join(directory, 'key.pem')];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=localhost'];
    await runCommand(['openssl', 'req', '-x509', ...curve, '-keyout', keyFile, '-out', certificateFile]);
    [certificate, key] = [await readFile(certificateFile, 'utf8'), await readFile(keyFile, 'utf8')];
  });

  /** A text that fits the name of its key. */
  function contentOf(name: string): string {
    if (/key(\.pem)?$/.test(name)) return key;
    return /crt$|pem$/.test(name) ? certificate : 'text';
  }

  for (const { name, names } of written) {
    test(`is taken by a node: ${name}`, async () => {
      const objects = (await render(valuesFile(name))).filter(
        ({ kind, metadata }) => kind !== 'Deployment' || metadata.labels['app.kubernetes.io/component'] === 'node',
      );
      const contents = Object.entries(names).map(([source, keys]) => [
        source,
        Object.fromEntries(keys.map((each) => [each, contentOf(each)])),
      ]);
      const placement = { podName: `pod-${name}`, root: join(directory, name), contents: Object.fromEntries(contents) };
      const { environment } = await placePod(objects, placement);
      const { configuration } = loadConfiguration({ environment, flags: [] });
      expect(configuration.nodeId).toBe(`pod-${name}`);
      expect(configuration.store.kind).toBe('redis');
      expect(configuration.backplane.url).not.toBe('');
      expect(configuration.admin.address).toBe('0.0.0.0:9883');
    });
  }

  test('every values file is among them', () => {
    expect(written.map(({ name }) => name)).toEqual([...valuesNames]);
  });
});
