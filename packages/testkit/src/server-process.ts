import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { DeadlineError, withDeadline } from './deadline.ts';

/** Command that starts a server. */
export interface ServerCommand {
  /** The name used in messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** True for the line of output, on stdout or stderr, which says that the server accepts connections. */
  readonly isReady: (line: string) => boolean;
  /** Time that the start may take. */
  readonly startMilliseconds?: number;
}

/** The server ended before it was ready. */
export class ServerEndedError extends DeadlineError {}

/** The last lines of output kept for messages: enough to see why a server did not start. */
const linesMax = 200;

/** Time that a server may take for a clean stop before the test fails. */
const stopMilliseconds = 10_000;

/** Servers still running; killed when the test process ends, so that none is left behind. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) {
    child.kill('SIGKILL');
  }
});

/** A real server started for a test. It ends with `stop` (SIGTERM) or `kill` (SIGKILL), at the latest with the test. */
export class ServerProcess {
  readonly name: string;
  readonly pid: number;
  /** The exit code, or the signal that ended the process. */
  readonly exited: Promise<number | NodeJS.Signals>;
  readonly #child: ChildProcess;
  readonly #lines: string[];

  private constructor(name: string, child: ChildProcess, lines: string[]) {
    this.name = name;
    this.pid = child.pid ?? 0;
    this.#child = child;
    this.#lines = lines;
    this.exited = once(child, 'exit').then(([code, signal]) => {
      running.delete(child);
      return code ?? signal;
    });
  }

  /** Starts a server and waits for its ready line. Fails with its output when it ends or stays silent. */
  static async start(command: ServerCommand): Promise<ServerProcess> {
    const child = spawn(command.command, command.args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...command.env },
    });
    running.add(child);
    const lines: string[] = [];
    const ready = Promise.withResolvers<void>();
    const read = (stream: Readable | null) => {
      if (stream === null) return;
      createInterface({ input: stream }).on('line', (line) => {
        lines.push(line);
        if (lines.length > linesMax) lines.shift();
        if (command.isReady(line)) ready.resolve();
      });
    };
    read(child.stdout);
    read(child.stderr);
    child.on('error', (cause) => {
      running.delete(child);
      ready.reject(new DeadlineError(`${command.name} cannot be run: ${cause.message}`, { cause }));
    });
    const server = new ServerProcess(command.name, child, lines);
    const ended = server.exited.then((how) => {
      throw new ServerEndedError(`${command.name} ended (${how}) before it was ready:\n${lines.join('\n')}`);
    });
    ended.catch(() => {});
    await withDeadline(
      Promise.race([ready.promise, ended]),
      () => `${command.name} is not ready; it wrote:\n${lines.join('\n')}`,
      command.startMilliseconds,
    );
    return server;
  }

  /** The last lines that the server wrote. */
  output(): string {
    return this.#lines.join('\n');
  }

  /** Asks the server to end (SIGTERM) and waits until it has. */
  async stop(): Promise<number | NodeJS.Signals> {
    return this.#end('SIGTERM');
  }

  /** Ends the server at once (SIGKILL), as a crash would, and waits until it is gone. */
  async kill(): Promise<number | NodeJS.Signals> {
    return this.#end('SIGKILL');
  }

  async #end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
    this.#child.kill(signal);
    return withDeadline(
      this.exited,
      () => `${this.name} did not end on ${signal}; it wrote:\n${this.output()}`,
      stopMilliseconds,
    );
  }
}
