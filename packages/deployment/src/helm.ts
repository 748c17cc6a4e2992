import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { chartDirectory } from './generated-chart-files.ts';
import { programPath } from './programs.ts';

/** An object for Kubernetes, as a template makes it. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  // What is below depends on the kind; tests name what they look at.
  // biome-ignore lint/suspicious/noExplicitAny: the types of Kubernetes are not in this project
  readonly [part: string]: any;
}

/** The names of the files in ci/, without `-values.yaml`. */
export const valuesNames = [
  'minimal',
  'trial',
  'production',
  'tls',
  'sentinel',
  'redis-cluster',
  'everything',
] as const;
export type ValuesName = (typeof valuesNames)[number];

/** The values file of that name. */
export function valuesFile(name: ValuesName): string {
  return join(chartDirectory, 'ci', `${name}-values.yaml`);
}

/** Lines of rendered manifests; a chart that makes more has a loop. */
const outputBytesMax = 8 * 1024 * 1024;

/** Runs helm; resolves with what it prints. @throws with what it says when it fails */
export async function helm(args: readonly string[], environment: NodeJS.ProcessEnv = process.env): Promise<string> {
  const options = { maxBuffer: outputBytesMax, env: environment };
  const { stdout } = await promisify(execFile)(programPath('helm'), args, options);
  return stdout;
}

/** The manifests of a release named mqtt, as text. `further`: arguments, such as `--set`. */
export function renderText(file: string, further: readonly string[] = []): Promise<string> {
  return helm(['template', 'mqtt', chartDirectory, '--namespace', 'messaging', '--values', file, ...further]);
}

/** The same as objects. */
export async function render(file: string, further: readonly string[] = []): Promise<KubernetesObject[]> {
  const documents = parseAllDocuments(await renderText(file, further));
  return documents
    .map((document) => {
      if (document.errors.length > 0) throw document.errors[0];
      return document.toJS() as KubernetesObject | null;
    })
    .filter((object) => object !== null);
}

/** The one object of a kind, with a name that ends so. @throws RangeError when there is none, or several */
export function only(objects: readonly KubernetesObject[], kind: string, ending = ''): KubernetesObject {
  const found = objects.filter((object) => object.kind === kind && object.metadata.name.endsWith(ending));
  if (found.length !== 1) throw new RangeError(`${found.length} objects are a ${kind} whose name ends in "${ending}"`);
  return found[0];
}
