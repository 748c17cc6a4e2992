import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { DeadlineError, withDeadline } from './deadline.ts';

/** Arguments with the address that Mosquitto's command-line clients connect to. */
function target(url: string): string[] {
  const { hostname, port } = new URL(url);
  return ['-h', hostname, '-p', port];
}

/** Result of a client that ran to its end. */
export interface ClientResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `mosquitto_pub` against the broker at `url` and waits until it has ended. */
export async function mosquittoPub(url: string, args: readonly string[]): Promise<ClientResult> {
  const child = spawn('mosquitto_pub', [...target(url), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const [exitCode] = await withDeadline(once(child, 'close'), () => {
    child.kill('SIGKILL');
    return `mosquitto_pub has not ended; it wrote ${stdout}${stderr}`;
  });
  return { exitCode, stdout, stderr };
}

/** A running `mosquitto_sub`. */
export class MosquittoSub {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #exited: Promise<unknown>;
  #wake = Promise.withResolvers<void>();
  #subscribed = Promise.withResolvers<void>();
  #log = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = once(child, 'close');
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.#log += `${line}\n`;
        if (/^Client .* (received|sending) /.test(line)) {
          if (line.includes('received SUBACK')) this.#subscribed.resolve();
          return;
        }
        if (line.startsWith('Subscribed (mid:')) return;
        this.#lines.push(line);
        this.#wake.resolve();
        this.#wake = Promise.withResolvers<void>();
      });
    }
    child.stderr?.on('data', (chunk) => (this.#log += chunk));
  }

  /** Starts `mosquitto_sub` and waits until the broker has acknowledged its subscriptions. */
  static async start(url: string, args: readonly string[]): Promise<MosquittoSub> {
    // `-d` makes it report SUBACK; without `stdbuf` the C library would keep that report in its buffer.
    const child = spawn('stdbuf', ['-oL', 'mosquitto_sub', ...target(url), '-d', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const client = new MosquittoSub(child);
    const ended = client.#exited.then(() => {
      throw new DeadlineError(`mosquitto_sub ended before it had subscribed:\n${client.#log}`);
    });
    ended.catch(() => {});
    await withDeadline(
      Promise.race([client.#subscribed.promise, ended]),
      () => `mosquitto_sub has not subscribed; it wrote:\n${client.#log}`,
    );
    return client;
  }

  /** The next message, as `mosquitto_sub` prints it. */
  async nextLine(): Promise<string> {
    while (this.#lines.length === 0) {
      await withDeadline(this.#wake.promise, () => `no line came; so far:\n${this.#log}`);
    }
    return this.#lines.shift() ?? '';
  }

  /** Ends the client (SIGTERM) and waits until it is gone. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await withDeadline(this.#exited, () => 'mosquitto_sub did not end on SIGTERM');
  }
}
