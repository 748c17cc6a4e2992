import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { DeadlineError, withDeadline } from '@dunlin/testkit';
import type { Connecting, DriverEvent, DriverEventOf, Features, Message } from './line-protocol.ts';
import { connectCommand, readEvent } from './line-protocol.ts';

/** Time-out of an answer of a driver. Virtual machines that start side by side on a busy computer take their time. */
const patienceMilliseconds = 20_000;
/** The last lines kept for messages. */
const linesMax = 40;

/** Drivers that still run; killed when this process ends, so that none is left behind. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Command that starts a driver. */
export interface DriverCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** Running driver: one client of its library, controlled line by line. */
export class DriverProcess {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #events: DriverEvent[] = [];
  readonly #messages: Message[] = [];
  readonly #lines: string[] = [];
  #came = Promise.withResolvers<void>();
  #hasEnded = false;

  private constructor(child: ChildProcess) {
    this.#child = child;
    running.add(child);
    this.#closed = once(child, 'close').then(() => {
      running.delete(child);
      this.#hasEnded = true;
      this.#wake();
    });
    child.stdin?.on('error', () => undefined); // It is gone, which `#closed` tells.
    if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (line) => this.#read(line, true));
    if (child.stderr !== null) createInterface({ input: child.stderr }).on('line', (line) => this.#read(line, false));
  }

  /** Starts a driver and reads what its library can do. */
  static async start({ file, args, environment }: DriverCommand): Promise<[DriverProcess, Features]> {
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...environment } });
    const failed = once(child, 'error').then(([error]) => {
      throw new DeadlineError(`${file} cannot be run: ${(error as Error).message}`);
    });
    const driver = new DriverProcess(child);
    try {
      return [driver, await Promise.race([driver.#next('features'), failed])];
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  /** Connects, or connects again as the same client. True: the broker has kept a session; null: the library does not tell. */
  async connect(connecting: Connecting): Promise<boolean | null> {
    // How the last connection ended is over.
    for (let at = this.#lost(); at !== -1; at = this.#lost()) this.#events.splice(at, 1);
    this.#say(...connectCommand(connecting));
    const answer = await this.#next('connected', 'refused');
    if (answer.event === 'refused') throw new DeadlineError(`the connection was refused: ${answer.reason}`);
    return answer.session;
  }

  async subscribe(filter: string, qos: number): Promise<void> {
    this.#say('subscribe', filter, qos);
    const { granted } = await this.#next('subscribed');
    if (granted !== null && granted !== qos) throw new DeadlineError(`${filter} was granted ${granted}, not ${qos}`);
  }

  /** Publishes without waiting for what comes of it. */
  publish({ topic, qos, retain, payload }: Message): void {
    this.#say('publish', topic, qos, Number(retain), payload);
  }

  /** Waits until so many publishes are through. @throws DeadlineError when the library gives one up */
  async untilPublished(count = 1): Promise<void> {
    for (let done = 0; done < count; done += 1) {
      const answer = await this.#next('published', 'failed');
      if (answer.event === 'failed') throw new DeadlineError(`the library gave a publish up: ${answer.reason}`);
    }
  }

  /** Resolves when the library says that its connection is gone. */
  async untilLost(): Promise<void> {
    await this.#next('lost');
  }

  /** The next message that came. */
  async message(): Promise<Message> {
    await this.#until(() => this.#messages.length > 0, 'a message');
    return this.#messages.shift() as Message;
  }

  /** Ends the connection with DISCONNECT. */
  async disconnect(): Promise<void> {
    this.#say('disconnect');
    await this.#next('disconnected');
  }

  /** The program dies without a word. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await withDeadline(this.#closed, () => 'the driver is not gone after SIGKILL');
  }

  /** The last lines that it wrote. */
  output(): string {
    return this.#lines.join('\n');
  }

  #lost(): number {
    return this.#events.findIndex(({ event }) => event === 'lost');
  }

  #say(...words: (string | number)[]): void {
    const line = words.join('\t');
    this.#keep(`> ${line}`);
    this.#child.stdin?.write(`${line}\n`);
  }

  #read(line: string, isOutput: boolean): void {
    this.#keep(line);
    const event = isOutput ? readEvent(line) : null;
    if (event === null) return;
    if (event.event === 'message') this.#messages.push(event);
    else this.#events.push(event);
    this.#wake();
  }

  #keep(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > linesMax) this.#lines.shift();
  }

  #wake(): void {
    this.#came.resolve();
    this.#came = Promise.withResolvers<void>();
  }

  /** Takes the first event of these kinds; others keep their places. */
  async #next<Kind extends DriverEvent['event']>(...kinds: Kind[]): Promise<DriverEventOf<Kind>> {
    const index = () => this.#events.findIndex(({ event }) => (kinds as string[]).includes(event));
    await this.#until(() => index() !== -1, kinds.join(' or '));
    return this.#events.splice(index(), 1)[0] as DriverEventOf<Kind>;
  }

  async #until(isThere: () => boolean, what: string): Promise<void> {
    const came = async () => {
      while (!isThere()) {
        if (this.#hasEnded) throw new DeadlineError(`the driver ended before ${what}`);
        await this.#came.promise;
      }
    };
    await withDeadline(came(), () => `no ${what} came`, patienceMilliseconds);
  }
}
