import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrokerProcess } from './broker-process.ts';
import { freePort, retryingPorts } from './free-port.ts';
import { ServerProcess } from './server-process.ts';

/** Path of the broker in Debian's package. `MOSQUITTO` in the environment names another. */
const mosquittoPath = process.env.MOSQUITTO ?? '/usr/sbin/mosquitto';

/** Options of `startMosquitto`. */
export interface MosquittoOptions {
  /** A directory for the persistent store; without one nothing survives the process. */
  readonly dataDirectory?: string;
  /** Lines added to the configuration file. */
  readonly configuration?: readonly string[];
  /** The TCP port; a free one by default. A restart names the port it had. */
  readonly port?: number;
}

/**
 * Starts Mosquitto on free loopback ports, one for TCP and one for WebSocket, open to everyone, with queues large enough
 * that no test meets their limits.
 */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<BrokerProcess> {
  return retryingPorts(options.port === undefined, () => startOnce(options));
}

async function startOnce(options: MosquittoOptions): Promise<BrokerProcess> {
  const directory = await mkdtemp(join(tmpdir(), 'mosquitto-'));
  const port = options.port ?? (await freePort());
  const webSocketPort = await freePort();
  const lines = [
    `listener ${port} 127.0.0.1`,
    `listener ${webSocketPort} 127.0.0.1`,
    'protocol websockets',
    'allow_anonymous true',
    'max_queued_messages 10000',
    'max_inflight_messages 0',
    'sys_interval 1',
    'log_dest stderr',
    ...(process.getuid?.() === 0 ? ['user root'] : []),
    ...(options.configuration ?? []),
  ];
  if (options.dataDirectory !== undefined) {
    await mkdir(options.dataDirectory, { recursive: true });
    lines.push(
      'persistence true',
      `persistence_location ${options.dataDirectory}/`,
      'autosave_on_changes true',
      'autosave_interval 1',
    );
  }
  const file = join(directory, 'mosquitto.conf');
  await writeFile(file, `${lines.join('\n')}\n`);
  const server = await ServerProcess.start({
    name: 'mosquitto',
    command: mosquittoPath,
    args: ['-c', file],
    isReady: (line) => / running$/.test(line),
  }).finally(() => rm(directory, { recursive: true, force: true })); // It has read the file by then.
  return {
    name: 'mosquitto',
    url: `mqtt://127.0.0.1:${port}`,
    webSocketUrl: `ws://127.0.0.1:${webSocketPort}/mqtt`,
    port,
    pid: server.pid,
    exited: server.exited,
    stop: () => server.stop(),
    kill: () => server.kill(),
    output: () => server.output(),
  };
}
