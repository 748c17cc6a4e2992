import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort, ServerProcess } from '@dunlin/testkit';
import { KubernetesApi } from './kubernetes-api.ts';
import { cacheDirectory } from './programs.ts';

const run = promisify(execFile);
const programsDirectory = join(cacheDirectory, 'control-plane');
const modules = join(import.meta.dirname, '..', 'control-plane');

/** The programs, each with the module that fixes its version and the package in it. */
const programs = [
  { name: 'etcd', module: join(modules, 'etcd'), package: 'go.etcd.io/etcd/server/v3' },
  { name: 'kube-apiserver', module: modules, package: 'k8s.io/kubernetes/cmd/kube-apiserver' },
  { name: 'kube-controller-manager', module: modules, package: 'k8s.io/kubernetes/cmd/kube-controller-manager' },
  { name: 'kube-scheduler', module: modules, package: 'k8s.io/kubernetes/cmd/kube-scheduler' },
] as const;

/** Programs that make certificates and data at their first start, on a machine that may be busy. */
const startMilliseconds = 120_000;
/** Time from the first answer until the API says that all of it is ready. */
const readyMilliseconds = 60_000;
const askAgainMilliseconds = 250;
/** Output of the compiler when it fails. */
const outputBytesMax = 16 * 1024 * 1024;

/** Builds what is missing; a quarter of an hour on two cores the first time. `say` hears what takes so long. */
export async function buildControlPlane(say: (line: string) => void): Promise<void> {
  await mkdir(programsDirectory, { recursive: true });
  const flags = await versionFlags();
  for (const { name, module, package: path } of programs) {
    const file = join(programsDirectory, name);
    if (existsSync(file)) continue;
    say(`building ${name}, which takes minutes`);
    const env = { ...process.env, GOFLAGS: '-p=1 -buildvcs=false' };
    const args = ['go', 'build', '-ldflags', flags, '-o', file, path];
    await run('nice', args, { cwd: module, env, maxBuffer: outputBytesMax });
  }
}

/**
 * Flags with the version of the API server, since charts ask for a version of Kubernetes. A plain build does not know
 * its own.
 */
async function versionFlags(): Promise<string> {
  const found = /k8s\.io\/kubernetes (v(\d+)\.(\d+)\S*)/.exec(await readFile(join(modules, 'go.mod'), 'utf8'));
  if (found === null) throw new RangeError('control-plane/go.mod requires no k8s.io/kubernetes');
  const [, version, major, minor] = found;
  const values = { gitVersion: version, gitMajor: major, gitMinor: minor };
  return Object.entries(values)
    .map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
    .join(' ');
}

/**
 * A control plane of Kubernetes on loopback, without any machine that runs pods:
 *
 *     helm ──> kube-apiserver ──> etcd
 *                    ^
 *                    ├── kube-controller-manager (Deployments to ReplicaSets to pods)
 *                    └── kube-scheduler          (pods to machines)
 */
export class ControlPlane {
  readonly api: KubernetesApi;
  /** Path of the kubeconfig for helm. */
  readonly kubeconfig: string;
  readonly #servers: ServerProcess[];

  private constructor(api: KubernetesApi, kubeconfig: string, servers: ServerProcess[]) {
    this.api = api;
    this.kubeconfig = kubeconfig;
    this.#servers = servers;
  }

  /** Starts it with its data in `directory`; resolves when its API is ready. */
  static async start(directory: string): Promise<ControlPlane> {
    const servers: ServerProcess[] = [];
    try {
      return await startIn(directory, servers, (api, kubeconfig) => new ControlPlane(api, kubeconfig, servers));
    } catch (error) {
      await stopAll(servers);
      throw error;
    }
  }

  async stop(): Promise<void> {
    await stopAll(this.#servers);
  }
}

/** The last started first. */
async function stopAll(servers: readonly ServerProcess[]): Promise<void> {
  for (const server of servers.toReversed()) await server.stop();
}

async function startIn(
  directory: string,
  servers: ServerProcess[],
  make: (api: KubernetesApi, kubeconfig: string) => ControlPlane,
): Promise<ControlPlane> {
  const [port, etcdPort, peerPort] = [await freePort(), await freePort(), await freePort()];
  const start = async (name: string, ready: RegExp, args: readonly string[]) => {
    const command = join(programsDirectory, name);
    const isReady = (line: string) => ready.test(line);
    servers.push(await ServerProcess.start({ name, command, args, isReady, startMilliseconds }));
  };
  const keys = await makeKeys(directory);
  const etcd = `http://127.0.0.1:${etcdPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  await start('etcd', /ready to serve client requests/, [
    ...['--data-dir', join(directory, 'etcd'), '--unsafe-no-fsync'],
    ...['--listen-client-urls', etcd, '--advertise-client-urls', etcd],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`],
  ]);
  const certificates = join(directory, 'certificates');
  await start('kube-apiserver', /Serving securely on/, [
    ...['--etcd-servers', etcd, '--bind-address', '127.0.0.1', '--advertise-address', '127.0.0.1'],
    ...['--secure-port', String(port), '--cert-dir', certificates, '--token-auth-file', keys.tokenFile],
    ...['--service-account-issuer', 'https://kubernetes.default.svc'],
    ...['--service-account-key-file', keys.publicKey, '--service-account-signing-key-file', keys.privateKey],
    ...['--service-cluster-ip-range', '10.96.0.0/16', '--authorization-mode', 'RBAC'],
  ]);
  const api = new KubernetesApi(port, keys.token, await readFile(join(certificates, 'apiserver.crt'), 'utf8'));
  await untilReady(api);
  const kubeconfig = join(directory, 'kubeconfig');
  await writeFile(kubeconfig, kubeconfigText(port, keys.token, join(certificates, 'apiserver.crt')));
  const shared = (name: string) => [
    '--kubeconfig',
    kubeconfig,
    '--bind-address',
    '127.0.0.1',
    '--cert-dir',
    join(directory, name),
  ];
  await start('kube-controller-manager', /Serving securely on/, [
    ...shared('controller-manager'),
    ...['--secure-port', String(await freePort()), '--leader-elect=false'],
    ...['--service-account-private-key-file', keys.privateKey],
  ]);
  await start('kube-scheduler', /Serving securely on/, [
    ...shared('scheduler'),
    ...['--secure-port', String(await freePort()), '--leader-elect=false'],
  ]);
  return make(api, kubeconfig);
}

async function makeKeys(directory: string) {
  const [privateKey, publicKey] = [join(directory, 'accounts.key'), join(directory, 'accounts.pub')];
  await run('openssl', ['genrsa', '-out', privateKey, '2048']);
  await run('openssl', ['rsa', '-in', privateKey, '-pubout', '-out', publicKey]);
  const token = randomBytes(24).toString('hex');
  const tokenFile = join(directory, 'tokens.csv');
  await writeFile(tokenFile, `${token},admin,admin,"system:masters"\n`);
  return { privateKey, publicKey, token, tokenFile };
}

async function untilReady(api: KubernetesApi): Promise<void> {
  const end = Date.now() + readyMilliseconds;
  for (;;) {
    const { status, text } = await api.request('GET', '/readyz');
    if (status === 200) return;
    if (Date.now() > end) throw new RangeError(`kube-apiserver is not ready after ${readyMilliseconds} ms: ${text}`);
    await setTimeout(askAgainMilliseconds);
  }
}

function kubeconfigText(port: number, token: string, authority: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'local', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority': authority } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'local', context: { cluster: 'local', user: 'admin' } }],
    'current-context': 'local',
  });
}
