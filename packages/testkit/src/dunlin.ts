import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { BrokerProcess } from './broker-process.ts';
import { freePort, retryingPorts } from './free-port.ts';
import { ServerProcess } from './server-process.ts';

/** Options of `startDunlin`; each is a flag of `dunlin start`. */
export interface DunlinOptions {
  /** Listener URLs after the first one, which is always TCP on loopback: `unix:/path`, `ws://127.0.0.1:PORT`. */
  readonly listeners?: readonly string[];
  readonly store?: 'memory' | 'lmdb';
  /** The directory of the embedded store. To restart on the same data, start again with the same directory. */
  readonly dataDirectory?: string;
  readonly workers?: number;
  readonly configurationFile?: string;
  /** Configuration keys, `--set key=value`. */
  readonly set?: Readonly<Record<string, string | number | boolean>>;
  readonly logLevel?: string;
  /** The TCP port; a free one by default. A restart names the port it had. */
  readonly port?: number;
  /** Address for WebSocket connections, if one of `listeners` takes them. */
  readonly webSocketUrl?: string;
  /** True: the node is run as it was built, as users have it, also where this package runs from its sources. */
  readonly isBuilt?: boolean;
}

/** A node that compiles its sources as it goes may take this long to start on a busy machine. */
const startMilliseconds = 20_000;

/**
 * Conditions for Node: where this package runs from its sources, the command does too: no build lies between a change
 * and its test.
 */
const conditions = import.meta.filename.endsWith('.ts') ? ['--conditions=source'] : [];

/** The command of this repository, found from wherever this package was loaded. */
function commandPath(): string {
  for (let directory = import.meta.dirname; directory !== dirname(directory); directory = dirname(directory)) {
    const path = join(directory, 'packages/cli/bin/dunlin.js');
    if (existsSync(path)) return path;
  }
  throw new TypeError('packages/cli/bin/dunlin.js is not above this package');
}

/** The arguments of `dunlin start` for these options. */
export function dunlinArguments(options: DunlinOptions, port: number): string[] {
  const args = ['start', '--listener', `tcp://127.0.0.1:${port}`];
  for (const listener of options.listeners ?? []) args.push('--listener', listener);
  if (options.store !== undefined) args.push('--store', options.store);
  if (options.dataDirectory !== undefined) args.push('--data', options.dataDirectory);
  if (options.workers !== undefined) args.push('--workers', String(options.workers));
  if (options.configurationFile !== undefined) args.push('--config', options.configurationFile);
  for (const [key, value] of Object.entries(options.set ?? {})) args.push('--set', `${key}=${value}`);
  if (options.logLevel !== undefined) args.push('--log-level', options.logLevel);
  return args;
}

/** True for the JSON line that says that the node accepts connections. */
function isReady(line: string): boolean {
  if (!line.startsWith('{')) return false;
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === 'object' && entry !== null && 'msg' in entry && /\bready\b/.test(String(entry.msg));
  } catch {
    return false;
  }
}

/** Starts a Dunlin node on a free loopback port and waits until it says that it is ready. */
export async function startDunlin(options: DunlinOptions = {}): Promise<BrokerProcess> {
  return retryingPorts(options.port === undefined, () => startOnce(options));
}

async function startOnce(options: DunlinOptions): Promise<BrokerProcess> {
  const port = options.port ?? (await freePort());
  const server = await ServerProcess.start({
    name: 'dunlin',
    command: process.execPath,
    args: [...(options.isBuilt ? [] : conditions), commandPath(), ...dunlinArguments(options, port)],
    isReady,
    startMilliseconds,
  });
  return {
    name: 'dunlin',
    url: `mqtt://127.0.0.1:${port}`,
    webSocketUrl: options.webSocketUrl,
    port,
    pid: server.pid,
    exited: server.exited,
    stop: () => server.stop(),
    kill: () => server.kill(),
    output: () => server.output(),
  };
}
