import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withDeadline } from './deadline.ts';
import { freePort, retryingPorts } from './free-port.ts';
import { ServerEndedError, ServerProcess } from './server-process.ts';

/** Path of the program in Debian's package. `HAPROXY` in the environment names another. */
const haproxyPath = process.env.HAPROXY ?? '/usr/sbin/haproxy';

/** A broker behind HAProxy. */
export interface HaproxyServer {
  readonly name: string;
  readonly port: number;
  /** Port at which `/readyz` is asked; without it, whether the port takes connections is what counts. */
  readonly readyPort?: number;
}

/** Options of `startHaproxy`. */
export interface HaproxyOptions {
  /** Brokers behind it, on loopback, by names of their own. */
  readonly servers: readonly HaproxyServer[];
  /** True: each connection begins with a PROXY protocol version 2 header, health checks too. Or what `server` lines have for it: `send-proxy`, `send-proxy-v2-ssl-cn` … */
  readonly sendProxy?: boolean | string;
  /** Added to the `bind` line: `ssl crt FILE ca-file FILE verify required`. */
  readonly bind?: string;
  /** Interval of the checks of a server; two failures take it out, one success takes it in. */
  readonly checkMilliseconds?: number;
  /** Server of a new connection: the one with the fewest unless given, or each in turn. */
  readonly balance?: 'leastconn' | 'roundrobin';
  /** The TCP port; a free one by default. */
  readonly port?: number;
}

/** A running HAProxy. */
export interface HaproxyProcess {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
  kill(): Promise<void>;
  output(): string;
}

/**
 * Starts HAProxy in front of TCP servers: health checks, and each new connection to the server with the fewest. One that does not take connections loses those
 * it has; one that says at `/readyz` that it is not ready keeps them: it is to send its clients away itself.
 */
export async function startHaproxy(options: HaproxyOptions): Promise<HaproxyProcess> {
  return retryingPorts(options.port === undefined, () => startOnce(options));
}

async function startOnce(options: HaproxyOptions): Promise<HaproxyProcess> {
  const directory = await mkdtemp(join(tmpdir(), 'haproxy-'));
  const port = options.port ?? (await freePort());
  const readyPort = await freePort();
  const file = join(directory, 'haproxy.cfg');
  await writeFile(file, configuration(options, port, readyPort));
  // One process, which `kill` ends whole. It says nothing once it listens, only shortly before.
  const server = await ServerProcess.start({
    name: 'haproxy',
    command: haproxyPath,
    args: ['-db', '-V', '-f', file],
    isReady: (line) => line.includes('as the polling mechanism'),
  }).finally(() => rm(directory, { recursive: true, force: true })); // It has read the file by then.
  await listening(readyPort, server);
  return {
    port,
    pid: server.pid,
    stop: async () => void (await server.stop()),
    kill: async () => void (await server.kill()),
    output: () => server.output(),
  };
}

/** Pause between attempts to see that it listens. */
const attemptMilliseconds = 5;

/** Waits until the port that is bound last takes a connection: one of the listeners would pass it on to a broker. */
async function listening(port: number, server: ServerProcess): Promise<void> {
  let isOver = false;
  void server.exited.then(() => {
    isOver = true;
  });
  const attempt = async (): Promise<void> => {
    while (!isOver) {
      const socket = connect(port, '127.0.0.1');
      const answered = await once(socket, 'connect').then(
        () => true,
        () => false,
      );
      socket.destroy();
      if (answered) return;
      await new Promise((resolve) => setTimeout(resolve, attemptMilliseconds));
    }
    throw new ServerEndedError(`haproxy ended before it listened:\n${server.output()}`);
  };
  await withDeadline(attempt(), () => `haproxy does not listen; it wrote:\n${server.output()}`).finally(() => {
    isOver = true;
  });
}

function serverLine({ name, port, readyPort }: HaproxyServer): string {
  const check = readyPort === undefined ? 'on-marked-down shutdown-sessions' : `port ${readyPort}`;
  return `  server ${name} 127.0.0.1:${port} ${check}`;
}

function configuration(
  { servers, sendProxy, bind = '', checkMilliseconds = 200, balance = 'leastconn' }: HaproxyOptions,
  port: number,
  readyPort: number,
): string {
  const words = sendProxy === true ? 'send-proxy-v2' : sendProxy === false ? undefined : sendProxy;
  const proxy = words === undefined ? '' : ` ${words} check-send-proxy`;
  return [
    'global',
    '  hard-stop-after 1s',
    'defaults',
    '  mode tcp',
    '  timeout connect 2s',
    // Longer than any test: MQTT has keep alives of its own.
    '  timeout client 1h',
    '  timeout server 1h',
    '  retries 3',
    '  option redispatch',
    'frontend mqtt',
    `  bind 127.0.0.1:${port} ${bind}`.trimEnd(),
    '  default_backend brokers',
    'backend brokers',
    `  balance ${balance}`,
    ...(servers.some(({ readyPort }) => readyPort !== undefined) ? ['  option httpchk GET /readyz'] : []),
    `  default-server check inter ${checkMilliseconds}ms fall 2 rise 1${proxy}`,
    ...servers.map(serverLine),
    // Bound after the others.
    'frontend ready',
    `  bind 127.0.0.1:${readyPort}`,
    '',
  ].join('\n');
}
