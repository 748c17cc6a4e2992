import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { KubernetesApi } from './kubernetes-api.ts';

/** The Prometheus Operator, whose module brings the definitions of its kinds. */
const operator = 'github.com/prometheus-operator/prometheus-operator@v0.85.0';
const kinds = ['servicemonitors', 'prometheusrules'];
/** Time from the definition of a kind until the API serves it. */
const servedMilliseconds = 30_000;
const askAgainMilliseconds = 200;

/** Teaches an API server the kinds of the Prometheus Operator, which is not there itself. */
export async function addOperatorKinds(api: KubernetesApi): Promise<void> {
  const { stdout } = await promisify(execFile)('go', ['mod', 'download', '-json', operator]);
  const folder = join((JSON.parse(stdout) as { Dir: string }).Dir, 'example', 'prometheus-operator-crd');
  for (const kind of kinds) {
    const definition = await readFile(join(folder, `monitoring.coreos.com_${kind}.yaml`), 'utf8');
    await api.call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition);
    await untilServed(api, `/apis/monitoring.coreos.com/v1/${kind}`);
  }
}

async function untilServed(api: KubernetesApi, path: string): Promise<void> {
  const end = Date.now() + servedMilliseconds;
  while ((await api.request('GET', path)).status !== 200) {
    if (Date.now() > end) throw new RangeError(`${path} is not served after ${servedMilliseconds} ms`);
    await setTimeout(askAgainMilliseconds);
  }
}
