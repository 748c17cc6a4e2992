import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { DeadlineError } from './deadline.ts';
import { freePort, retryingPorts } from './free-port.ts';
import { makeNatsCredentials } from './nats-credentials.ts';
import { ServerProcess } from './server-process.ts';

/** The first of these: `NATS_SERVER` in the environment, where `go install` puts it, the one of the PATH. */
function natsServerPath(): string {
  if (process.env.NATS_SERVER !== undefined) return process.env.NATS_SERVER;
  const installed = join(homedir(), 'go', 'bin', 'nats-server');
  return existsSync(installed) ? installed : 'nats-server';
}

/** A server says in its output that it has read its configuration again; it is looked at so often, for so long. */
const pollMilliseconds = 20;
const reloadMilliseconds = 10_000;

/** Files of certificates and keys in PEM. */
export interface NatsTlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Authority for certificates that the server then asks clients for. */
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
  /** Process id of the process that runs now; another one after `restart`. */
  readonly pid: number;
  /** A file with the JWT and key of the user, when asked for; else null. It is there until `stop`. */
  readonly credentialsFile: string | null;
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** Gives it other lines than `configuration` had and lets it read them, and the files of `tls`, again (SIGHUP); after a restart they hold as well. */
  reload(configuration: readonly string[]): Promise<void>;
  /** Starts it again on the same port, after `stop` or `kill`. A server that still runs is stopped first. */
  restart(): Promise<void>;
  output(): string;
}

/** Starts a nats-server on a free loopback port. */
export async function startNats(options: NatsOptions = {}): Promise<NatsProcess> {
  const made = options.credentials === true ? makeNatsCredentials() : null;
  const fixed = [...tlsLines(options.tls), ...(made?.configuration ?? [])];
  const configuration = options.configuration ?? [];
  return retryingPorts(options.port === undefined, async () => {
    const port = options.port ?? (await freePort());
    const files = new NatsFiles(await mkdtemp(join(tmpdir(), 'nats-')), fixed, made?.credentials ?? null);
    files.configuration = configuration;
    try {
      return new RunningNats(await spawnNats(files, port, options), files, port, options);
    } catch (error) {
      await files.remove();
      throw error;
    }
  });
}

/** Files that a server reads, and the credentials of its user, in a directory of their own. */
class NatsFiles {
  readonly configurationFile: string;
  readonly credentialsFile: string | null;
  configuration: readonly string[] = [];
  readonly #fixed: readonly string[];
  readonly #directory: string;
  readonly #credentials: string | null;

  /** `fixed`: lines that stay when the configuration is another. */
  constructor(directory: string, fixed: readonly string[], credentials: string | null) {
    this.#directory = directory;
    this.#fixed = fixed;
    this.#credentials = credentials;
    this.configurationFile = join(directory, 'nats.conf');
    this.credentialsFile = credentials === null ? null : join(directory, 'user.creds');
  }

  async write(): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    await writeFile(this.configurationFile, `${[...this.#fixed, ...this.configuration].join('\n')}\n`);
    if (this.credentialsFile !== null) await writeFile(this.credentialsFile, this.#credentials ?? '');
  }

  remove(): Promise<void> {
    return rm(this.#directory, { recursive: true, force: true });
  }
}

/** Lines about TLS for the file, not arguments: so they are read again at SIGHUP. */
function tlsLines(tls: NatsTlsFiles | undefined): string[] {
  if (tls === undefined) return [];
  const verify = tls.ca === undefined ? '' : `, ca_file: "${tls.ca}", verify: true`;
  return [`tls { cert_file: "${tls.cert}", key_file: "${tls.key}"${verify} }`];
}

async function spawnNats(files: NatsFiles, port: number, options: NatsOptions): Promise<ServerProcess> {
  await files.write();
  const { user, password, token } = options;
  const args = ['--config', files.configurationFile, '--addr', '127.0.0.1', '--port', String(port)];
  if (user !== undefined) args.push('--user', user, '--pass', password ?? '');
  if (token !== undefined) args.push('--auth', token);
  return ServerProcess.start({
    name: 'nats-server',
    command: natsServerPath(),
    args: [...args, ...(options.args ?? [])],
    isReady: (line) => line.includes('Server is ready'),
  });
}

class RunningNats implements NatsProcess {
  readonly url: string;
  readonly port: number;
  readonly #files: NatsFiles;
  readonly #options: NatsOptions;
  #server: ServerProcess;
  #runs = true;

  constructor(server: ServerProcess, files: NatsFiles, port: number, options: NatsOptions) {
    this.#files = files;
    this.#options = options;
    this.#server = server;
    this.port = port;
    const { user, password, token, tls } = options;
    const secret = token ?? (user === undefined ? undefined : `${user}:${encodeURIComponent(password ?? '')}`);
    this.url = `${tls === undefined ? 'nats' : 'tls'}://${secret === undefined ? '' : `${secret}@`}127.0.0.1:${port}`;
  }

  get credentialsFile(): string | null {
    return this.#files.credentialsFile;
  }

  get pid(): number {
    return this.#server.pid;
  }

  async reload(configuration: readonly string[]): Promise<void> {
    this.#files.configuration = configuration;
    await this.#files.write();
    const reloads = (): number => this.output().match(/Reloaded server configuration/g)?.length ?? 0;
    const before = reloads();
    process.kill(this.pid, 'SIGHUP');
    const end = Date.now() + reloadMilliseconds;
    while (reloads() === before) {
      if (Date.now() > end) throw new DeadlineError(`nats-server has not read its configuration:\n${this.output()}`);
      await setTimeout(pollMilliseconds);
    }
  }

  async stop(): Promise<void> {
    await this.#end();
    await this.#files.remove();
  }

  async #end(): Promise<void> {
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
    await this.#end();
    this.#server = await spawnNats(this.#files, this.port, this.#options);
    this.#runs = true;
  }

  output(): string {
    return this.#server.output();
  }
}
