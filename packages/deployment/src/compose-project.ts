import { execFile } from 'node:child_process';
import { cp, mkdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { programPath } from './programs.ts';

/** A service as Compose understands it, after anchors and defaults. */
export interface Service {
  readonly image: string;
  readonly entrypoint?: readonly string[];
  readonly command?: string | readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly (string | { readonly type: string; readonly source: string; readonly target: string })[];
  readonly ports?: readonly (string | { readonly host_ip?: string; readonly published: string })[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly read_only?: boolean;
  readonly stop_grace_period?: string;
}

export interface ComposeProject {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/**
 * Loads a file with the Compose program itself.
 * @throws what it says about a file that is wrong
 */
export async function loadComposeFile(file: string): Promise<ComposeProject> {
  const { stdout } = await promisify(execFile)(programPath('docker-compose'), ['-f', file, 'config']);
  return parse(stdout) as ComposeProject;
}

/** A file or folder of this project that a service sees. */
export interface Mount {
  readonly source: string;
  readonly target: string;
}

/** Mounts of a service from the file system; volumes with names are not among them. */
export function mountsOf({ volumes = [] }: Service): Mount[] {
  return volumes
    .map((volume) => {
      if (typeof volume !== 'string') return { source: volume.source, target: volume.target };
      const [source, target] = volume.split(':');
      return { source, target };
    })
    .filter(({ source }) => source.startsWith('/'));
}

/**
 * Addresses of a service outside of the project, `ADDRESS:PORT`; older and newer versions of Compose write them in two
 * ways.
 */
export function publishedBy({ ports = [] }: Service): string[] {
  return ports.map((port) => {
    if (typeof port === 'string') return port.split(':').slice(0, -1).join(':');
    return `${port.host_ip ?? '0.0.0.0'}:${port.published}`;
  });
}

/** Copies what a service mounts to where it sees it, below `root`. */
export async function placeMounts(service: Service, root: string): Promise<void> {
  for (const { source, target } of mountsOf(service)) {
    const place = join(root, relative('/', target));
    await mkdir(dirname(place), { recursive: true });
    await cp(source, place, { recursive: true });
  }
}
