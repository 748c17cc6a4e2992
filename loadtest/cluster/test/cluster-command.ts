import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort, withDeadline } from '@dunlin/testkit';
import { nodeId } from '../src/cluster-node.ts';
import { PortOccupiedError, portsFrom, portsNeeded, requireFree } from '../src/ports.ts';

/** A cluster starts within this, and a program of it starts again, on a busy machine too. */
export const startMilliseconds = 60_000;
const stopMilliseconds = 30_000;
const triesMax = 20;

/** Contents of the first line of `--json`. */
export interface ClusterPlaces {
  readonly nodes: readonly {
    readonly id: string;
    readonly pid: number;
    readonly mqtt: number;
    readonly admin: number;
    readonly ws: number;
  }[];
  readonly nats: { readonly pid: number; readonly port: number };
  readonly redis: { readonly pid: number; readonly port: number };
  readonly haproxy: { readonly pid: number; readonly mqtt: number };
  readonly logs: string;
}

/** Finds as many free ports in a row as a cluster needs, and returns the first of them. */
export async function freeBasePort(nodes: number): Promise<number> {
  const ids = Array.from({ length: nodes }, (_, index) => nodeId(index));
  for (let tries = 0; tries < triesMax; tries++) {
    const base = Math.min(await freePort(), 65_535 - portsNeeded(nodes));
    try {
      await requireFree(portsFrom(base, nodes), ids);
      return base;
    } catch (error) {
      if (!(error instanceof PortOccupiedError)) throw error;
    }
  }
  throw new TypeError(`no ${portsNeeded(nodes)} free ports in a row were found`);
}

/** `npm run cluster` as a process, with a folder for temporary files of its own. */
export class ClusterCommand {
  readonly directory: string;
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown[]>;
  #errors = '';
  #wake = Promise.withResolvers<void>();

  private constructor(directory: string, child: ChildProcess) {
    this.directory = directory;
    this.#child = child;
    this.#closed = once(child, 'close');
    child.stderr?.on('data', (chunk) => (this.#errors += chunk));
    if (child.stdout === null) throw new TypeError('its output is a pipe');
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.lines.push(line);
      this.#wakeUp();
    });
    void this.#closed.then(() => this.#wakeUp());
  }

  static async start(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<ClusterCommand> {
    const directory = await mkdtemp(join(tmpdir(), 'cluster-test-'));
    const main = join(import.meta.dirname, '..', 'src', 'main.ts');
    const child = spawn(process.execPath, ['--conditions=source', main, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TMPDIR: directory, ...environment },
    });
    return new ClusterCommand(directory, child);
  }

  /** Text that it wrote to standard error. */
  get errors(): string {
    return this.#errors;
  }

  /** The first line from `from` on that fits, as soon as it is there. */
  async line(fits: (line: string) => boolean, from = 0): Promise<string> {
    for (let index = from; ; index++) {
      while (index >= this.lines.length) {
        if (this.#child.exitCode !== null) throw new TypeError(`it has ended: ${this.lines.join('\n')}${this.#errors}`);
        await withDeadline(
          this.#wake.promise,
          () => `no such line; it wrote:\n${this.lines.join('\n')}\n${this.#errors}`,
          startMilliseconds,
        );
      }
      if (fits(this.lines[index])) return this.lines[index];
    }
  }

  /** The first line of `--json`. */
  async places(): Promise<ClusterPlaces> {
    return JSON.parse(await this.line(() => true));
  }

  /** Sends signals, all at once, and waits for the end. Gives the exit code. */
  async end(...signals: readonly NodeJS.Signals[]): Promise<number | null> {
    for (const signal of signals) this.#child.kill(signal);
    return this.exitCode();
  }

  /** Its exit code, when it ends by itself. */
  async exitCode(): Promise<number | null> {
    const [code] = await withDeadline(
      this.#closed,
      () => `it has not ended; it wrote:\n${this.lines.join('\n')}\n${this.#errors}`,
      stopMilliseconds,
    );
    return code as number | null;
  }

  /** Names of temporary files and folders that are there now. */
  leftovers(): Promise<string[]> {
    return readdir(this.directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.end('SIGTERM');
    await rm(this.directory, { recursive: true, force: true });
  }

  #wakeUp(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}

/** True while there is a process with this number. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    return false;
  }
}
