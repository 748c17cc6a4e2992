import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { freePort, ServerProcess } from '@dunlin/testkit';
import { run } from '../src/release/program-run.ts';

/** Time that a node may take to start on a busy machine. */
const startMilliseconds = 20_000;

/** Result of a command that ran to its end. */
export interface Finished {
  readonly code: number | null;
  readonly output: string;
}

/** The package `dunlin` as a user has it: installed from its tarball into a folder that was empty, outside of the repository. */
export class InstalledPackage {
  /** Directory of the package, in which its commands run too. */
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Installs the tarball; packages in npm's cache are not downloaded again. */
  static async install(tarball: string, directory: string): Promise<InstalledPackage> {
    await mkdir(directory);
    await run(directory, 'npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball]);
    return new InstalledPackage(directory);
  }

  get #command(): string {
    return join(this.directory, 'node_modules/.bin/dunlin');
  }

  /** The Node of these tests is the first on the PATH. */
  get #environment(): NodeJS.ProcessEnv {
    return { ...process.env, PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) };
  }

  /** Runs a command to its end. */
  async run(words: readonly string[], input = ''): Promise<Finished> {
    const child = spawn(this.#command, words, { cwd: this.directory, env: this.#environment });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
    child.stdin.end(input);
    const [code] = await once(child, 'close');
    return { code, output };
  }

  /** Starts a node with a listener on a free port; resolves when it is ready. */
  async start(
    words: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<{ node: ServerProcess; port: string }> {
    const port = String(await freePort());
    const node = await ServerProcess.start({
      name: 'dunlin',
      // Through a shell that gives way to it: it starts in another folder than these tests.
      command: 'sh',
      args: [
        ...['-c', 'cd "$0" && exec "$@"', this.directory],
        ...[this.#command, 'start', '--listener', `tcp://127.0.0.1:${port}`, ...words],
      ],
      env: { ...environment, PATH: this.#environment.PATH as string },
      isReady: (line) => line.includes('"event":"node.started"'),
      startMilliseconds,
    });
    return { node, port };
  }
}
