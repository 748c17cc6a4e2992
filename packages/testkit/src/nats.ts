import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, retryingPorts } from './free-port.ts';
import { makeNatsCredentials } from './nats-credentials.ts';
import { ServerProcess } from './server-process.ts';

/** The first of these: `NATS_SERVER` in the environment, where `go install` puts it, the one of the PATH. */
function natsServerPath(): string {
  if (process.env.NATS_SERVER !== undefined) return process.env.NATS_SERVER;
  const installed = join(homedir(), 'go', 'bin', 'nats-server');
  return existsSync(installed) ? installed : 'nats-server';
}

/** Files of certificates and keys in PEM. */
export interface NatsTlsFiles {
  readonly cert: string;
  readonly key: string;
  /** With it, the server asks clients for a certificate of this authority. */
  readonly ca?: string;
}

/** Options of `startNats`. Without user, token and credentials everybody may connect. */
export interface NatsOptions {
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  readonly tls?: NatsTlsFiles;
  /** True: an operator and one account are made; the server takes only the user of `credentialsFile`. */
  readonly credentials?: boolean;
  /** Arguments added to the command line. */
  readonly args?: readonly string[];
  /** Lines added to the configuration file. */
  readonly configuration?: readonly string[];
  /** The TCP port; a free one by default. */
  readonly port?: number;
}

/** A nats-server of a test. */
export interface NatsProcess {
  /** `nats://127.0.0.1:port`, or `tls://…`; with user and password or token, if there are any. */
  readonly url: string;
  readonly port: number;
  /** Of the process that runs now; another one after `restart`. */
  readonly pid: number;
  /** A file with the JWT and key of the user, when asked for; else null. It is there until `stop`. */
  readonly credentialsFile: string | null;
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** Starts it again on the same port, after `stop` or `kill`. A server that still runs is stopped first. */
  restart(): Promise<void>;
  output(): string;
}

/** Starts a nats-server on a free loopback port. */
export async function startNats(options: NatsOptions = {}): Promise<NatsProcess> {
  const made = options.credentials === true ? makeNatsCredentials() : null;
  const configuration = [...(options.configuration ?? []), ...(made?.configuration ?? [])];
  return retryingPorts(options.port === undefined, async () => {
    const port = options.port ?? (await freePort());
    const server = await spawnNats(configuration, port, options);
    return RunningNats.of(server, configuration, port, options, made?.credentials ?? null);
  });
}

async function spawnNats(configuration: readonly string[], port: number, options: NatsOptions): Promise<ServerProcess> {
  const directory = await mkdtemp(join(tmpdir(), 'nats-'));
  const file = join(directory, 'nats.conf');
  await writeFile(file, `${configuration.join('\n')}\n`);
  const { user, password, token, tls } = options;
  const args = ['--config', file, '--addr', '127.0.0.1', '--port', String(port)];
  if (user !== undefined) args.push('--user', user, '--pass', password ?? '');
  if (token !== undefined) args.push('--auth', token);
  if (tls !== undefined) {
    args.push('--tls', '--tlscert', tls.cert, '--tlskey', tls.key);
    if (tls.ca !== undefined) args.push('--tlsverify', '--tlscacert', tls.ca);
  }
  return ServerProcess.start({
    name: 'nats-server',
    command: natsServerPath(),
    args: [...args, ...(options.args ?? [])],
    isReady: (line) => line.includes('Server is ready'),
  }).finally(() => rm(directory, { recursive: true, force: true })); // It has read the file by then.
}

class RunningNats implements NatsProcess {
  readonly url: string;
  readonly port: number;
  readonly #configuration: readonly string[];
  readonly #options: NatsOptions;
  readonly #credentials: string | null;
  #credentialsDirectory: string | null = null;
  #server: ServerProcess;
  #runs = true;

  private constructor(
    server: ServerProcess,
    configuration: readonly string[],
    port: number,
    options: NatsOptions,
    credentials: string | null,
  ) {
    this.#configuration = configuration;
    this.#options = options;
    this.#server = server;
    this.#credentials = credentials;
    this.port = port;
    const { user, password, token, tls } = options;
    const secret = token ?? (user === undefined ? undefined : `${user}:${encodeURIComponent(password ?? '')}`);
    this.url = `${tls === undefined ? 'nats' : 'tls'}://${secret === undefined ? '' : `${secret}@`}127.0.0.1:${port}`;
  }

  static async of(
    server: ServerProcess,
    configuration: readonly string[],
    port: number,
    options: NatsOptions,
    credentials: string | null,
  ): Promise<RunningNats> {
    const nats = new RunningNats(server, configuration, port, options, credentials);
    await nats.#writeCredentials();
    return nats;
  }

  get credentialsFile(): string | null {
    return this.#credentialsDirectory === null ? null : join(this.#credentialsDirectory, 'user.creds');
  }

  async #writeCredentials(): Promise<void> {
    if (this.#credentials === null || this.#credentialsDirectory !== null) return;
    this.#credentialsDirectory = await mkdtemp(join(tmpdir(), 'nats-credentials-'));
    await writeFile(join(this.#credentialsDirectory, 'user.creds'), this.#credentials);
  }

  get pid(): number {
    return this.#server.pid;
  }

  async stop(): Promise<void> {
    if (this.#credentialsDirectory !== null) await rm(this.#credentialsDirectory, { recursive: true, force: true });
    this.#credentialsDirectory = null;
    if (!this.#runs) return;
    this.#runs = false;
    await this.#server.stop();
  }

  async kill(): Promise<void> {
    if (!this.#runs) return;
    this.#runs = false;
    await this.#server.kill();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.#writeCredentials();
    this.#server = await spawnNats(this.#configuration, this.port, this.#options);
    this.#runs = true;
  }

  output(): string {
    return this.#server.output();
  }
}
