import { setTimeout } from 'node:timers/promises';
import type { KubernetesObject } from './helm.ts';
import type { KubernetesApi } from './kubernetes-api.ts';

const name = 'machine-1';
/** Interval of the looks for pods that are new or that are to end. */
const lookMilliseconds = 200;

/**
 * A machine that runs nothing: it says of each pod bound to it that it is ready, and lets go of those that are to end. So Deployments go their way to the end,
 * and `helm --wait` with them.
 */
export class PretendedMachine {
  readonly #api: KubernetesApi;
  readonly #stop = new AbortController();
  #addresses = 0;
  #looking: Promise<void> = Promise.resolve();

  private constructor(api: KubernetesApi) {
    this.#api = api;
  }

  /** Registers it and starts to look after its pods. */
  static async start(api: KubernetesApi): Promise<PretendedMachine> {
    const resources = { cpu: '64', memory: '256Gi', pods: '500' };
    const labels = { 'kubernetes.io/hostname': name, 'topology.kubernetes.io/zone': 'zone-1' };
    const conditions = [{ type: 'Ready', status: 'True' }];
    await api.call('POST', '/api/v1/nodes', {
      metadata: { name, labels },
      status: { allocatable: resources, capacity: resources, conditions },
    });
    const machine = new PretendedMachine(api);
    machine.#looking = machine.#look();
    machine.#looking.catch(() => undefined); // Told by `stop`.
    return machine;
  }

  /** Ends it. @throws what went wrong meanwhile */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#looking;
  }

  async #look(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const pods = await this.#api.list(`/api/v1/pods?fieldSelector=spec.nodeName%3D${name}`);
      for (const pod of pods) await this.#attend(pod);
      await setTimeout(lookMilliseconds);
    }
  }

  async #attend({ metadata, spec, status }: KubernetesObject): Promise<void> {
    const path = `/api/v1/namespaces/${(metadata as { namespace?: string }).namespace}/pods/${metadata.name}`;
    if ('deletionTimestamp' in metadata) {
      await this.#settle('DELETE', path, { gracePeriodSeconds: 0 });
      return;
    }
    if (status.phase === 'Running') return;
    this.#addresses++;
    const startedAt = new Date().toISOString();
    const podIP = `10.244.${this.#addresses >> 8}.${this.#addresses & 255}`;
    const conditions = ['Initialized', 'ContainersReady', 'Ready'].map((type) => ({
      type,
      status: 'True',
      lastTransitionTime: startedAt,
    }));
    const containerStatuses = spec.containers.map((container: { name: string; image: string }) => ({
      name: container.name,
      image: container.image,
      imageID: container.image,
      ready: true,
      started: true,
      restartCount: 0,
      state: { running: { startedAt } },
    }));
    const told = {
      phase: 'Running',
      podIP,
      podIPs: [{ ip: podIP }],
      startTime: startedAt,
      conditions,
      containerStatuses,
    };
    await this.#settle('PATCH', `${path}/status`, { status: told });
  }

  /** A pod that has gone in between, or was changed by another, is looked at again in the next round. */
  async #settle(method: string, path: string, body: unknown): Promise<void> {
    const { status } = await this.#api.request(method, path, body);
    if (status >= 300 && status !== 404 && status !== 409) await this.#api.call(method, path, body);
  }
}
