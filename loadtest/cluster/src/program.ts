import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Time from the death of a program to its next start. Also the pace of attempts, which go on for as long as the cluster
 * runs.
 */
const restartMilliseconds = 1000;
/** A program that is not ready by then never will be. Nodes that read their sources on a busy machine take several seconds. */
const startMilliseconds = 30_000;
/** Time from SIGTERM to SIGKILL; a node takes up to 4 s for its clients. */
const stopMilliseconds = 10_000;
/** Interval of attempts at the port of a program that prints nothing when it is ready. */
const portTryMilliseconds = 50;
/** The last lines kept for messages: enough to see why a program did not start. */
const linesMax = 50;

/**
 * Processes that run now; killed when this process ends in any other way than through `stop`, so that nothing is left
 * behind.
 */
const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** Program, and how it is started; the same at every restart. */
export interface ProgramCommand {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  /** Sign that it serves: a line of its output, or connections taken at a port. */
  readonly ready: ((line: string) => boolean) | { readonly port: number };
  /** Everything that it writes goes there. */
  readonly logFile: string;
  /** Started again when it ends without being asked. */
  readonly restarts: boolean;
}

/** Receiver of the program's events. */
export interface ProgramWatcher {
  line(program: Program, line: string): void;
  ended(program: Program, how: number | NodeJS.Signals): void;
  restarted(program: Program): void;
}

/**
 *     stopped ── start ──> starting ── ready ──> running
 *        ^                  ^     │                 │ it ends
 *        │                  │     │ it ends         v
 *        └──── stop ────    └─────┴──────────── waiting (a second)
 */
export type ProgramState = 'stopped' | 'starting' | 'running' | 'waiting';

/** A program that did not start. The message has its last lines. */
export class ProgramStartError extends Error {
  constructor(command: ProgramCommand, what: string, lines: readonly string[]) {
    super(`${command.name} ${what}; it wrote:\n${lines.join('\n')}`);
    this.name = 'ProgramStartError';
  }
}

/** Program of the cluster: started, watched, started again with the same arguments, stopped. */
export class Program {
  readonly #command: ProgramCommand;
  readonly #watcher: ProgramWatcher;
  readonly #log: WriteStream;
  readonly #lines: string[] = [];
  #child: ChildProcess | null = null;
  #state: ProgramState = 'stopped';
  #isStopping = false;
  #timer: NodeJS.Timeout | undefined;
  #runs = Promise.withResolvers<void>();

  constructor(command: ProgramCommand, watcher: ProgramWatcher) {
    this.#command = command;
    this.#watcher = watcher;
    this.#log = createWriteStream(command.logFile, { flags: 'a' });
  }

  get name(): string {
    return this.#command.name;
  }

  /** Process id of the process that runs now, or ran last; 0 before the start. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get state(): ProgramState {
    return this.#state;
  }

  /** Starts it and waits until it is ready. @throws ProgramStartError when it ends before, or is not ready in time */
  async start(): Promise<void> {
    try {
      await this.#spawn();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Resolves when it is ready: at once, or after its restart. */
  async untilRunning(): Promise<void> {
    while (this.#state !== 'running') await this.#runs.promise;
  }

  /** Resolves when it is ready the next time: for after a signal that ends it. */
  untilRestarted(): Promise<void> {
    return this.#runs.promise;
  }

  /** Sends a signal to the process, if there is one. True when it was sent. */
  signal(signal: NodeJS.Signals): boolean {
    const child = this.#child;
    return child !== null && isAlive(child) && child.kill(signal);
  }

  /** Ends it for good, politely at first, and closes its log. Done twice, it is done once. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child !== null && isAlive(child)) {
      const closed = once(child, 'close'); // Not only gone: its last words have been read.
      child.kill('SIGTERM');
      child.kill('SIGCONT'); // A paused one could not even end.
      const timer = setTimeout(() => child.kill('SIGKILL'), stopMilliseconds);
      await closed;
      clearTimeout(timer);
    }
    this.#state = 'stopped';
    if (!this.#log.writableEnded) await new Promise<void>((resolve) => this.#log.end(resolve));
  }

  async #spawn(): Promise<void> {
    const { file, args, ready } = this.#command;
    if (this.#isStopping) throw new ProgramStartError(this.#command, 'was stopped', this.#lines);
    this.#state = 'starting';
    // In a group of its own: Ctrl-C is for the cluster, which stops its programs in their order.
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    this.#child = child;
    const isReady = Promise.withResolvers<void>();
    const fail = (what: string) => isReady.reject(new ProgramStartError(this.#command, what, this.#lines));
    child.once('error', (error) => {
      fail(`cannot be run (${error.message})`);
      if (child.pid === undefined) this.#ended(1);
    });
    child.once('spawn', () => alive.add(child));
    child.once('exit', (code, signal) => {
      alive.delete(child);
      fail(`ended (${code ?? signal}) before it was ready`);
      this.#ended(code ?? signal ?? 0);
    });
    for (const stream of [child.stdout, child.stderr]) {
      this.#read(stream, (line) => {
        if (typeof ready === 'function' && ready(line)) isReady.resolve();
      });
    }
    if (typeof ready !== 'function') void untilListening(child, ready.port, isReady.resolve);
    const timer = setTimeout(() => {
      fail(`is not ready after ${startMilliseconds} ms`);
      child.kill('SIGKILL');
    }, startMilliseconds);
    try {
      await isReady.promise;
    } finally {
      clearTimeout(timer);
    }
    this.#state = 'running';
    this.#runs.resolve();
    this.#runs = Promise.withResolvers();
  }

  #read(stream: Readable, heard: (line: string) => void): void {
    createInterface({ input: stream }).on('line', (line) => {
      if (!this.#log.writableEnded) this.#log.write(`${line}\n`);
      this.#lines.push(line);
      if (this.#lines.length > linesMax) this.#lines.shift();
      this.#watcher.line(this, line);
      heard(line);
    });
  }

  #ended(how: number | NodeJS.Signals): void {
    this.#state = 'stopped';
    if (this.#isStopping) return;
    this.#watcher.ended(this, how);
    if (!this.#command.restarts) return;
    this.#state = 'waiting';
    this.#timer = setTimeout(() => void this.#startAgain(), restartMilliseconds);
  }

  async #startAgain(): Promise<void> {
    try {
      await this.#spawn();
      this.#watcher.restarted(this);
    } catch (error) {
      // It has ended, or has been killed for being late: `#ended` has set the timer for the next attempt, and its log says why.
      if (!(error instanceof ProgramStartError)) throw error;
    }
  }
}

function isAlive(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

/** Tries the port until it takes a connection or the process has ended. */
async function untilListening(child: ChildProcess, port: number, listening: () => void): Promise<void> {
  while (child.exitCode === null && child.signalCode === null) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      listening();
      return;
    } catch {
      await delay(portTryMilliseconds); // refused: not yet
    } finally {
      socket.destroy();
    }
  }
}
