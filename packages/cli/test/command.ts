import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const command = join(import.meta.dirname, '../bin/dunlin.js');

/** Commands that run; none is left behind when the tests end, however they do. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export interface Finished {
  code: number | null;
  output: string;
  errors: string;
}

/** A `dunlin` process, run from source. */
export class Dunlin {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  output = '';
  errors = '';
  #waiting: (() => void)[] = [];

  constructor(words: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    this.child = spawn(process.execPath, ['--conditions=source', command, ...words], {
      env: { ...process.env, ...environment },
    });
    running.add(this.child);
    this.child.stdout?.on('data', (data) => {
      this.output += data;
      this.#tell();
    });
    this.child.stderr?.on('data', (data) => {
      this.errors += data;
      this.#tell();
    });
    this.finished = once(this.child, 'close').then(([code]) => {
      running.delete(this.child);
      this.#tell();
      return { code, output: this.output, errors: this.errors };
    });
  }

  #tell(): void {
    for (const tell of this.#waiting.splice(0)) tell();
  }

  /** Waits until the text has come on standard output or standard error. */
  async until(text: string): Promise<void> {
    while (!this.output.includes(text) && !this.errors.includes(text)) {
      if (this.child.exitCode !== null) throw new TypeError(`ended before "${text}":\n${this.output}${this.errors}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** The log of a broker, line by line. */
  log(): Record<string, unknown>[] {
    return this.output
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  }
}

/** Runs a command to its end. */
export function run(words: readonly string[], input?: string): Promise<Finished> {
  const dunlin = new Dunlin(words);
  if (input !== undefined) dunlin.child.stdin?.end(input);
  return dunlin.finished;
}

/** Starts a broker on a port that it picks; resolves when it is ready. */
export async function startBroker(words: readonly string[] = []): Promise<{ broker: Dunlin; port: string }> {
  const broker = new Dunlin(['start', '--listener', 'tcp://127.0.0.1:0', '--store', 'memory', ...words]);
  await broker.until('"event":"node.started"');
  const ready = broker.log().find((line) => line.event === 'node.started') as { listeners: string[] };
  return { broker, port: new URL(ready.listeners[0]).port };
}
