import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Configuration } from '@dunlin/config';
import { askNode, ControlError, controlSocketOf, type Door } from '@dunlin/edge/control';
import type { Command } from 'commander';
import { addConfigurationOptions, type ConfigurationValues, loadAndWarn } from '../commands/configuration-options.ts';
import { CommandError } from '../exit-code.ts';

/** Options of every command that asks a node. */
export interface NodeValues extends ConfigurationValues {
  keyFile?: string;
  json?: boolean;
}

/** Adds the options that say which node is asked. */
export function addNodeOptions(command: Command): Command {
  return addConfigurationOptions(
    command
      .option(
        '--admin <url>',
        'the node to ask, http://HOST:PORT; unless given, the one of the configuration, of --data',
      )
      .option('--key-file <file>', 'file with the key of the administration API')
      .option('--json', 'as JSON'),
    ['admin'],
  );
}

/** Questions to one node. */
export class NodeDoor {
  readonly #door: Door;

  constructor(values: NodeValues) {
    this.#door = doorOf(values);
  }

  get<T>(path: string, query: Record<string, string | undefined> = {}): Promise<T> {
    return this.#ask<T>('GET', path, query);
  }

  post<T>(path: string, body: unknown = null): Promise<T> {
    return this.#ask<T>('POST', path, {}, body);
  }

  delete<T>(path: string, query: Record<string, string | undefined> = {}, body: unknown = null): Promise<T> {
    return this.#ask<T>('DELETE', path, query, body);
  }

  async #ask<T>(
    method: string,
    path: string,
    query: Record<string, string | undefined>,
    body: unknown = null,
  ): Promise<T> {
    const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const search = given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
    try {
      return (await askNode(this.#door, method, `/api/v1/${path}${search}`, body)) as T;
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      const exit = error.code === 'control-refused' ? 'failed' : 'refused';
      throw new CommandError(exit, error.message, error);
    }
  }
}

/** The way to the node: as given, through its data directory, or at the address of the configuration. */
function doorOf({ admin, keyFile, ...values }: NodeValues): Door {
  const { configuration } = loadAndWarn(values);
  if (admin !== undefined) return { url: urlOf(admin), key: keyOf(keyFile ?? '', configuration) };
  const socketPath = controlSocketOf(configuration.store.path);
  if (keyFile === undefined && existsSync(socketPath)) return { socketPath };
  const { address } = configuration.admin;
  if (address !== '') return { url: urlOf(address), key: keyOf(keyFile ?? '', configuration) };
  if (configuration.store.kind === 'lmdb') return { socketPath };
  throw new CommandError(
    'usage',
    'no node is known: give --admin http://HOST:PORT and --key-file FILE, --data DIRECTORY of a node with an embedded store, or --config FILE of a node with admin.address',
  );
}

function urlOf(text: string): string {
  const whole = /^https?:\/\//.test(text) ? text : `http://${text}`;
  if (!URL.canParse(whole)) throw new CommandError('usage', `--admin: given "${text}", allowed: http://HOST:PORT`);
  const url = new URL(whole);
  // An address at which a node listens, and nobody can be.
  if (url.hostname === '0.0.0.0') url.hostname = '127.0.0.1';
  if (url.hostname === '[::]') url.hostname = '[::1]';
  return url.href;
}

function keyOf(given: string, { admin, store }: Configuration): string {
  const first = join(store.path, 'admin.key');
  const file = given !== '' ? given : admin.keyFile !== '' ? admin.keyFile : existsSync(first) ? first : '';
  if (file === '')
    throw new CommandError(
      'usage',
      'no key is known: give --key-file FILE, or set admin.keyFile; a node with an embedded store writes its first key to admin.key in its data directory',
    );
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new CommandError('usage', `the key file cannot be read: ${(cause as Error).message}`, cause);
  }
}

/** Says on standard error which nodes are missing in an answer. */
export function warnOfMissing(incomplete: readonly { node: string; reason: string }[]): void {
  for (const { node, reason } of incomplete) process.stderr.write(`dunlin: node ${node} is missing: ${reason}\n`);
}

export function terminalColumns(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns : undefined;
}
