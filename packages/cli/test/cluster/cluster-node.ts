import { readdirSync, readFileSync } from 'node:fs';
import { Conversation, DeadlineError, type Introduction, withDeadline } from '@dunlin/testkit';
import { Dunlin } from '../command.ts';

/** A node compiles its sources as it goes; several start at once, on a busy machine. */
const startMilliseconds = 25_000;
/** Time within which a node logs an expected line. */
const sayMilliseconds = 15_000;

export interface NodeAddresses {
  readonly name: string;
  readonly port: number;
  /** Port on which the node answers over HTTP. */
  readonly adminPort: number;
  readonly redisUrl: string;
  readonly natsUrl: string;
  readonly workers: number;
  readonly arguments: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
}

/** Process `dunlin start` of a cluster. Its name and its port stay the same over restarts. */
export class ClusterNode {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  readonly adminPort: number;
  readonly #addresses: NodeAddresses;
  readonly #wires: Conversation[] = [];
  #process: Dunlin | null = null;

  constructor(addresses: NodeAddresses) {
    this.name = addresses.name;
    this.port = addresses.port;
    this.adminPort = addresses.adminPort;
    this.url = `mqtt://127.0.0.1:${addresses.port}`;
    this.#addresses = addresses;
  }

  get process(): Dunlin {
    if (this.#process === null) throw new TypeError(`node ${this.name} was not started`);
    return this.#process;
  }

  /** Starts the process and does not wait. */
  launch(): void {
    const { name, port, adminPort, redisUrl, natsUrl, workers, arguments: more, environment } = this.#addresses;
    const listener = `tcp://127.0.0.1:${port}`;
    const words = ['start', '--node-id', name, '--listener', listener, '--workers', String(workers)];
    words.push('--store', redisUrl, '--backplane', natsUrl, '--admin', `127.0.0.1:${adminPort}`, ...more);
    this.#process = new Dunlin(words, environment);
  }

  async start(): Promise<void> {
    this.launch();
    await this.says('"event":"node.started"', startMilliseconds);
  }

  /** Resolves when this text has come in a line of its log. */
  async says(text: string, milliseconds = sayMilliseconds): Promise<void> {
    const dunlin = this.process;
    await withDeadline(
      dunlin.until(text),
      () => `node ${this.name} did not say ${text}:\n${this.output}`,
      milliseconds,
    );
  }

  get output(): string {
    return this.process.output + this.process.errors;
  }

  /** Lines of this event. */
  lines(event: string): Record<string, unknown>[] {
    return this.process.log().filter((line) => line.event === event);
  }

  /** A connected client. */
  async connect(greeting: Introduction): Promise<Conversation> {
    const wire = await this.open();
    await wire.connect(greeting);
    return wire;
  }

  /** A connection that has not said anything yet. */
  async open(): Promise<Conversation> {
    const wire = await Conversation.open(this.url, 5);
    this.#wires.push(wire);
    return wire;
  }

  async #ask(path: string): Promise<Response> {
    await this.says('admin.opened');
    const [{ address }] = this.lines('admin.opened');
    return fetch(`${address}${path}`);
  }

  /** Answer of `/metrics`: each series with its value. */
  async metrics(): Promise<Map<string, number>> {
    const text = await (await this.#ask('/metrics')).text();
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return new Map(
      lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
    );
  }

  /** Answer of `/readyz`. */
  async readiness(): Promise<{ code: number; reasons: string[] }> {
    const response = await this.#ask('/readyz');
    const { reasons } = (await response.json()) as { reasons: string[] };
    return { code: response.status, reasons };
  }

  /** Stops it in its tracks; resolves when none of its threads runs any more. */
  async pause(): Promise<void> {
    const { pid } = this.process.child;
    this.process.child.kill('SIGSTOP');
    const tasks = readdirSync(`/proc/${pid}/task`);
    const isStopped = (task: string): boolean => /\) T /.test(readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8'));
    while (!tasks.every(isStopped)) await new Promise((resolve) => setImmediate(resolve));
  }

  resume(): void {
    this.process.child.kill('SIGCONT');
  }

  /** Ends it at once, as a crash does. */
  async kill(): Promise<void> {
    this.process.child.kill('SIGKILL');
    await this.process.finished;
  }

  /** Asks it to end; returns the exit code. */
  async stop(): Promise<number | null> {
    this.process.child.kill('SIGTERM');
    const { code } = await withDeadline(
      this.process.finished,
      () => `node ${this.name} does not end:\n${this.output}`,
      10_000,
    );
    return code;
  }

  /** Ends what is left of it. */
  async clear(): Promise<void> {
    await Promise.all(this.#wires.map((wire) => wire.drop()));
    if (this.#process === null || this.#process.child.exitCode !== null) return;
    await this.kill();
  }
}

/** Tries until it does not fail with a DeadlineError: for what is refused for a while. Each try waits for an answer, so nobody is kept busy. */
export async function untilItWorks<T>(attempt: () => Promise<T>, milliseconds: number): Promise<T> {
  const end = performance.now() + milliseconds;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof DeadlineError) || performance.now() > end) throw error;
    }
    await reconnectPause();
  }
}

/** Pause of a client between two attempts to connect. */
export function reconnectPause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 100));
}
