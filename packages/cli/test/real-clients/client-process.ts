import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { DeadlineError, withDeadline } from '@dunlin/testkit';
import type { RealSubscriber, ShownMessage } from './real-client.ts';

/** An interpreter that starts on a busy machine takes its time. */
const patienceMilliseconds = 20_000;

/** Programs that still run; killed when the test process ends. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A message as programs write it on one line: `message`, topic, QoS, retain, payload, with tabs between. Null: another line. */
function readMessage(line: string): ShownMessage | null {
  const found = /^message\t([^\t]*)\t([012])\t([01])\t(.*)$/.exec(line);
  if (found === null) return null;
  const [, topic, qos, retain, payload] = found;
  return { topic, payload, qos: Number(qos), retain: retain === '1' };
}

/** Reader of the lines of a program. */
export interface LineReader {
  /** True for the line that says that it is connected, or subscribed. */
  readonly isReady: (line: string) => boolean;
  readonly message: (line: string) => ShownMessage | null;
}

/** The lines of the programs beside this file. */
export const ownLines: LineReader = { isReady: (line) => line === 'ready', message: readMessage };

/** A client program that runs. It writes a line for every message, and one that says that it is connected, or subscribed. */
export class ClientProcess implements RealSubscriber {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #messages: ShownMessage[] = [];
  readonly #ready = Promise.withResolvers<void>();
  #came = Promise.withResolvers<void>();
  #output = '';

  private constructor(child: ChildProcess, reader: LineReader) {
    this.#child = child;
    running.add(child);
    this.#closed = once(child, 'close').finally(() => running.delete(child));
    this.#ready.promise.catch(() => undefined);
    void this.#closed.then(() =>
      this.#ready.reject(new DeadlineError(`the client ended early; it wrote:\n${this.#output}`)),
    );
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => this.#read(line, reader));
    }
  }

  /** Starts a program and waits until it says that it is ready. */
  static async start(command: string, args: readonly string[], reader: LineReader = ownLines): Promise<ClientProcess> {
    const client = new ClientProcess(spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] }), reader);
    await client.#within(client.#ready.promise, 'ready');
    return client;
  }

  /** Runs a program to its end, which must be a success. */
  static async run(command: string, args: readonly string[]): Promise<void> {
    const client = new ClientProcess(spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] }), ownLines);
    await client.#within(client.#closed, 'done');
    const { exitCode } = client.#child;
    if (exitCode !== 0) throw new DeadlineError(`${command} ended with ${exitCode}; it wrote:\n${client.#output}`);
  }

  async next(): Promise<ShownMessage> {
    while (this.#messages.length === 0) await this.#within(this.#came.promise, 'given a message');
    return this.#messages.shift() as ShownMessage;
  }

  async leave(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#within(this.#closed, 'gone after SIGTERM');
  }

  /** The program dies without a word. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#within(this.#closed, 'gone after SIGKILL');
  }

  #read(line: string, reader: LineReader): void {
    this.#output += `${line}\n`;
    if (reader.isReady(line)) this.#ready.resolve();
    const message = reader.message(line);
    if (message === null) return;
    this.#messages.push(message);
    this.#came.resolve();
    this.#came = Promise.withResolvers<void>();
  }

  #within<T>(promise: Promise<T>, what: string): Promise<T> {
    return withDeadline(promise, () => `the client is not ${what}; it wrote:\n${this.#output}`, patienceMilliseconds);
  }
}
