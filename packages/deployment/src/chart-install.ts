/** `npm run chart:install`: the chart on a real control plane of Kubernetes, from its installation to its removal. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { buildControlPlane, ControlPlane } from './control-plane.ts';
import { addOperatorKinds } from './custom-kinds.ts';
import { chartDirectory } from './generated-chart-files.ts';
import { helm, type KubernetesObject, type ValuesName, valuesFile, valuesNames } from './helm.ts';
import type { KubernetesApi } from './kubernetes-api.ts';
import { PretendedMachine } from './pretended-machine.ts';

const namespace = 'messaging';
const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`;
/** Values for a fast start: no waits, and no volumes, which nothing here provides. */
const quick = ['--set', 'minReadySeconds=0,redis.trial.storage='];
const wait = ['--wait', '--timeout', '120s'];
/** Time that controllers may take for something they do by themselves. */
const settleMilliseconds = 30_000;
const askAgainMilliseconds = 200;

/** Collections with the objects of the chart, and with what belongs to them. */
const collections = [
  '/api/v1/namespaces/NAMESPACE/configmaps',
  '/api/v1/namespaces/NAMESPACE/pods',
  '/api/v1/namespaces/NAMESPACE/services',
  '/api/v1/namespaces/NAMESPACE/serviceaccounts',
  '/apis/apps/v1/namespaces/NAMESPACE/deployments',
  '/apis/apps/v1/namespaces/NAMESPACE/replicasets',
  '/apis/apps/v1/namespaces/NAMESPACE/statefulsets',
  '/apis/autoscaling/v2/namespaces/NAMESPACE/horizontalpodautoscalers',
  '/apis/discovery.k8s.io/v1/namespaces/NAMESPACE/endpointslices',
  '/apis/monitoring.coreos.com/v1/namespaces/NAMESPACE/prometheusrules',
  '/apis/monitoring.coreos.com/v1/namespaces/NAMESPACE/servicemonitors',
  '/apis/networking.k8s.io/v1/namespaces/NAMESPACE/networkpolicies',
  '/apis/policy/v1/namespaces/NAMESPACE/poddisruptionbudgets',
];

/** Asks until the answer is as wanted. @throws AssertionError with the last answer */
async function eventually<T>(what: string, ask: () => Promise<T>, wanted: T): Promise<void> {
  const end = Date.now() + settleMilliseconds;
  for (;;) {
    const answer = await ask();
    if (JSON.stringify(answer) === JSON.stringify(wanted)) return;
    if (Date.now() > end) assert.deepEqual(answer, wanted, what);
    await setTimeout(askAgainMilliseconds);
  }
}

class Installation {
  readonly #api: KubernetesApi;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #started = Date.now();

  constructor({ api, kubeconfig }: ControlPlane, home: string) {
    this.#api = api;
    this.#environment = { ...process.env, KUBECONFIG: kubeconfig, HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home };
  }

  say(line: string): void {
    console.log(`${((Date.now() - this.#started) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  }

  async run(): Promise<void> {
    const { nodes, template } = await this.#install();
    await this.#upgrade(template);
    await this.#rollback(nodes, template);
    await this.#remove('mqtt', namespace);
    for (const name of valuesNames) await this.#everyValuesFile(name);
  }

  #helm(...args: string[]): Promise<string> {
    return helm(args, this.#environment);
  }

  #deployment(): Promise<KubernetesObject> {
    return this.#api.call('GET', `${deployments}/mqtt-dunlin`);
  }

  /** The addresses that clients are sent to. */
  async #readyAddresses(service = 'mqtt-dunlin'): Promise<number> {
    const selector = `kubernetes.io%2Fservice-name%3D${service}`;
    const path = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=${selector}`;
    const slices = await this.#api.list(path);
    const endpoints = slices.flatMap((slice) => (slice.endpoints ?? []) as { conditions: { ready: boolean } }[]);
    return endpoints.filter(({ conditions }) => conditions.ready).length;
  }

  /** The hashes of the templates that pods were made from. */
  async #templates(): Promise<string[]> {
    const selector = 'app.kubernetes.io%2Fcomponent%3Dnode';
    const pods = await this.#api.list(`/api/v1/namespaces/${namespace}/pods?labelSelector=${selector}`);
    return [...new Set(pods.map(({ metadata }) => metadata.labels['pod-template-hash']))];
  }

  async #install() {
    await this.#helm(
      'install',
      'mqtt',
      chartDirectory,
      '-n',
      namespace,
      '--create-namespace',
      '-f',
      valuesFile('trial'),
      ...quick,
      ...wait,
    );
    const { spec, status } = await this.#deployment();
    assert.equal(status.readyReplicas, 3);
    await eventually('addresses of the listeners', () => this.#readyAddresses(), 3);
    await eventually('addresses of Redis', () => this.#readyAddresses('mqtt-dunlin-redis'), 1);
    await eventually('addresses of NATS', () => this.#readyAddresses('mqtt-dunlin-nats'), 1);
    const budget = `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets/mqtt-dunlin`;
    await eventually(
      'nodes that may be evicted',
      async () => (await this.#api.call('GET', budget)).status.disruptionsAllowed,
      1,
    );
    const [template] = await this.#templates();
    this.say(
      'installed: three nodes, Redis and NATS are ready, the Service sends clients to all of them, one may be evicted',
    );
    return { nodes: spec.replicas as number, template };
  }

  async #upgrade(template: string): Promise<void> {
    const selector = (await this.#deployment()).spec.selector;
    const values = ['-f', valuesFile('trial'), ...quick];
    await this.#helm('upgrade', 'mqtt', chartDirectory, '-n', namespace, ...values, '--set', 'replicaCount=4', ...wait);
    await eventually('templates after more nodes', () => this.#templates(), [template]);
    await eventually('addresses after more nodes', () => this.#readyAddresses(), 4);
    this.say('upgraded to four nodes: the three are the same');
    const changed = ['--set', 'replicaCount=4,log.level=debug,commonLabels.team=messaging', ...wait];
    await this.#helm('upgrade', 'mqtt', chartDirectory, '-n', namespace, ...values, ...changed);
    await eventually('old pods', async () => (await this.#templates()).includes(template), false);
    await eventually('addresses after a change', () => this.#readyAddresses(), 4);
    assert.deepEqual((await this.#deployment()).spec.selector, selector);
    this.say('upgraded with another configuration and another label: every node was replaced, under the same selector');
  }

  async #rollback(nodes: number, template: string): Promise<void> {
    await this.#helm('rollback', 'mqtt', '1', '-n', namespace, ...wait);
    await eventually('templates after the rollback', () => this.#templates(), [template]);
    await eventually('addresses after the rollback', () => this.#readyAddresses(), nodes);
    const { data } = await this.#api.call('GET', `/api/v1/namespaces/${namespace}/configmaps/mqtt-dunlin`);
    assert.match(data['dunlin.yaml'], /level: info/);
    this.say('rolled back to the first revision: its nodes, its configuration');
  }

  async #remove(release: string, from: string): Promise<void> {
    await this.#helm('uninstall', release, '-n', from, ...wait);
    const left = async () => {
      const names: string[] = [];
      for (const collection of collections) {
        const selector = `app.kubernetes.io%2Finstance%3D${release}`;
        const objects = await this.#api.list(`${collection.replace('NAMESPACE', from)}?labelSelector=${selector}`);
        names.push(...objects.map(({ metadata }) => `${collection.split('/').at(-1)}/${metadata.name}`));
      }
      return names;
    };
    await eventually(`what is left of ${release}`, left, []);
    this.say(`removed ${release}: nothing is left`);
  }

  /**
   * Checks that the API server takes the objects of every file of values, those of other kinds too. It knows more rules
   * than their schemas say.
   */
  async #everyValuesFile(name: ValuesName): Promise<void> {
    const own = `values-${name}`;
    const values = ['-f', valuesFile(name), ...quick];
    await this.#helm('install', own, chartDirectory, '-n', own, '--create-namespace', ...values);
    await this.#helm('upgrade', own, chartDirectory, '-n', own, ...values, '--set', 'log.level=warn');
    const { length } = (await this.#helm('get', 'manifest', own, '-n', own)).match(/^kind: /gm) ?? [];
    this.say(`installed and upgraded with ${name} values: ${length} objects`);
    await this.#remove(own, own);
  }
}

const directory = await mkdtemp(join(tmpdir(), 'dunlin-control-plane-'));
await buildControlPlane((line) => console.log(line));
const controlPlane = await ControlPlane.start(directory);
try {
  const { text } = await controlPlane.api.request('GET', '/version');
  console.log(`the control plane is ready: ${(JSON.parse(text) as { gitVersion: string }).gitVersion}`);
  await addOperatorKinds(controlPlane.api);
  const machine = await PretendedMachine.start(controlPlane.api);
  try {
    await new Installation(controlPlane, join(directory, 'helm')).run();
  } finally {
    await machine.stop();
  }
  console.log('the chart was installed, upgraded, rolled back and removed');
} finally {
  await controlPlane.stop();
  await rm(directory, { recursive: true, force: true });
}
