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

/** A message as programs write it on one line: `message`, topic, QoS, retain, payload, with tabs between. */
const messageLine = /^message\t([^\t]*)\t([012])\t([01])\t(.*)$/;

/** A client program that runs. It writes a line for every message, and one that says that it is connected, or subscribed. */
export class ClientProcess implements RealSubscriber {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #messages: ShownMessage[] = [];
  readonly #ready = Promise.withResolvers<void>();
  #came = Promise.withResolvers<void>();
  #output = '';

  private constructor(child: ChildProcess, isReady: (line: string) => boolean) {
    this.#child = child;
    running.add(child);
    this.#closed = once(child, 'close').finally(() => running.delete(child));
    this.#ready.promise.catch(() => undefined);
    void this.#closed.then(() =>
      this.#ready.reject(new DeadlineError(`the client ended early; it wrote:\n${this.#output}`)),
    );
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => this.#read(line, isReady));
    }
  }

  /** Starts a program and waits until it says that it is ready. */
  static async start(
    command: string,
    args: readonly string[],
    isReady: (line: string) => boolean = (line) => line === 'ready',
  ): Promise<ClientProcess> {
    const client = new ClientProcess(spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] }), isReady);
    await client.#within(client.#ready.promise, 'ready');
    return client;
  }

  /** Runs a program to its end, which must be a success. */
  static async run(command: string, args: readonly string[]): Promise<void> {
    const client = new ClientProcess(spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] }), () => false);
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

  #read(line: string, isReady: (line: string) => boolean): void {
    this.#output += `${line}\n`;
    if (isReady(line)) this.#ready.resolve();
    const found = messageLine.exec(line);
    if (found === null) return;
    const [, topic, qos, retain, payload] = found;
    this.#messages.push({ topic, payload, qos: Number(qos), retain: retain === '1' });
    this.#came.resolve();
    this.#came = Promise.withResolvers<void>();
  }

  #within<T>(promise: Promise<T>, what: string): Promise<T> {
    return withDeadline(promise, () => `the client is not ${what}; it wrote:\n${this.#output}`, patienceMilliseconds);
  }
}
