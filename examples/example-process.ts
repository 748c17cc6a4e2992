import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { DeadlineError, withDeadline } from '@dunlin/testkit';

/**
 * The longest wait for one line or for the end of a program: an interpreter takes its time on a busy machine, a sensor waits five
 * seconds for acknowledgements at its end, and a client may pause for some seconds before it connects again.
 */
const patienceMilliseconds = 20_000;

/** The time of a program that refuses its options: the start of an interpreter, and nothing else. */
export const refusalMilliseconds = 10_000;

/** Programs that still run; killed when the test process ends. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A program of an example that runs, and the lines that it writes. */
export class ExampleProcess {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #closed: Promise<unknown>;
  readonly #unread: string[] = [];
  #came = Promise.withResolvers<void>();
  #hasEnded = false;
  output = '';

  /** Starts a program; `command` is its path and its arguments. */
  constructor(command: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    const [program, ...args] = command;
    this.#name = command.join(' ');
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...environment } });
    running.add(this.#child);
    this.#closed = once(this.#child, 'close').finally(() => {
      running.delete(this.#child);
      this.#hasEnded = true;
      this.#came.resolve();
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => this.#take(line));
    }
  }

  #take(line: string): void {
    this.output += `${line}\n`;
    this.#unread.push(line);
    this.#came.resolve();
    this.#came = Promise.withResolvers<void>();
  }

  /** The next line that has not been read yet. */
  async line(): Promise<string> {
    while (this.#unread.length === 0) {
      if (this.#hasEnded) throw new DeadlineError(`${this.#name} has ended; it wrote:\n${this.output}`);
      await this.#within(this.#came.promise, 'wrote nothing more');
    }
    return this.#unread.shift() as string;
  }

  /** Reads lines until one matches. */
  until(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#within(this.#find(pattern), `did not write ${pattern}`);
  }

  async #find(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(await this.line());
      if (found !== null) return found;
    }
  }

  /** Writes to its standard input. */
  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Waits for its end; returns the exit code, or the signal that ended it. */
  async ended(): Promise<number | NodeJS.Signals | null> {
    await this.#within(this.#closed, 'has not ended');
    return this.#child.exitCode ?? this.#child.signalCode;
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | NodeJS.Signals | null> {
    this.#child.kill(signal);
    return this.ended();
  }

  #within<T>(promise: Promise<T>, what: string): Promise<T> {
    return withDeadline(promise, () => `${this.#name} ${what}; it wrote:\n${this.output}`, patienceMilliseconds);
  }
}
