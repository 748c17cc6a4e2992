import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type KubernetesObject, only } from './helm.ts';

/** Contents of Secrets and ConfigMaps by their names, then by their keys. */
export type Contents = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** A container of a pod as it would be started, with its files below a folder instead of `/`. */
export interface PlacedContainer {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Files that the pod sees, on this machine, by their paths in the pod. */
  readonly files: ReadonlyMap<string, string>;
}

interface VolumeSource {
  readonly name: string;
  readonly secret?: { readonly secretName: string; readonly items?: readonly Item[] };
  readonly configMap?: { readonly name: string; readonly items?: readonly Item[] };
  readonly emptyDir?: object;
}

interface Item {
  readonly key: string;
  readonly path: string;
}

/** Options of placing a pod on this machine. */
export interface PlacementOptions {
  /** The name that the pod gets. */
  readonly podName: string;
  /** The folder that stands for `/`. */
  readonly root: string;
  /** Secrets and ConfigMaps that are not among the objects. */
  readonly contents: Contents;
  /** Changes the text of a file, such as the addresses of servers in it. */
  readonly edit?: (text: string) => string;
}

/**
 * Prepares a pod as Kubernetes does before it starts the first container: volumes become files, fields become
 * variables. Paths in the environment and in the files lead below `root`.
 * @throws RangeError when it names a Secret, ConfigMap or key that is not there
 */
export async function placePod(
  objects: readonly KubernetesObject[],
  options: PlacementOptions,
): Promise<PlacedContainer> {
  const { podName, root, contents, edit = (text) => text } = options;
  const pod = only(objects, 'Deployment').spec.template.spec;
  const container = pod.containers[0];
  const configMaps = objects.filter(({ kind }) => kind === 'ConfigMap');
  const known: Contents = {
    ...contents,
    ...Object.fromEntries(configMaps.map(({ metadata, data }) => [metadata.name, data])),
  };
  const below = (text: string) => edit(text).replaceAll('/etc/dunlin', join(root, 'etc', 'dunlin'));
  const files = new Map<string, string>();
  for (const { name, mountPath } of container.volumeMounts as { name: string; mountPath: string }[]) {
    const volume = (pod.volumes as VolumeSource[]).find((each) => each.name === name);
    if (volume === undefined) throw new RangeError(`the pod has no volume ${name}`);
    for (const [file, text] of volumeFiles(volume, known)) {
      const path = `${mountPath}/${file}`;
      files.set(path, join(root, path));
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), below(text));
      await chmod(join(root, path), 0o440);
    }
  }
  const environment: Record<string, string> = {};
  for (const { name, value, valueFrom } of container.env) {
    if (value !== undefined) environment[name] = below(value);
    else if (valueFrom.fieldRef.fieldPath === 'metadata.name') environment[name] = podName;
    else throw new RangeError(`the variable ${name} comes from ${JSON.stringify(valueFrom)}`);
  }
  return { args: container.args, environment, files };
}

function volumeFiles({ name, secret, configMap, emptyDir }: VolumeSource, known: Contents): [string, string][] {
  if (emptyDir !== undefined) return [];
  const source = secret?.secretName ?? configMap?.name ?? '';
  const data = known[source];
  if (data === undefined) throw new RangeError(`volume ${name} names ${source}, which is not there`);
  const items = secret?.items ?? configMap?.items ?? Object.keys(data).map((key) => ({ key, path: key }));
  return items.map(({ key, path }) => {
    if (data[key] === undefined)
      throw new RangeError(`volume ${name} names the key ${key} of ${source}, which is not there`);
    return [path, data[key]];
  });
}
