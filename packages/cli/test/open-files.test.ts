import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, test } from 'vitest';

const command = join(import.meta.dirname, '../bin/dunlin.js');

let broker: LimitedBroker;
const clients: Socket[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await broker.stop();
});

/** A broker whose process may open so many files. */
class LimitedBroker {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #waiting: (() => void)[] = [];
  readonly closed: Promise<unknown[]>;

  constructor(files: number, words: readonly string[]) {
    const args = ['start', '--listener', 'tcp://127.0.0.1:0', '--store', 'memory', '--admin', '127.0.0.1:0', ...words];
    const limited = ['-c', 'ulimit -n "$0" && exec "$@"', String(files)];
    this.#child = spawn('sh', [...limited, process.execPath, '--conditions=source', command, ...args]);
    this.closed = once(this.#child, 'close');
    for (const input of [this.#child.stdout, this.#child.stderr])
      createInterface({ input: input as NonNullable<typeof input> }).on('line', (line) => {
        this.#lines.push(line);
        for (const tell of this.#waiting.splice(0)) tell();
      });
    void this.closed.then(() => {
      for (const tell of this.#waiting.splice(0)) tell();
    });
  }

  get output(): string {
    return this.#lines.join('\n');
  }

  /** The first line that holds the text. */
  async line(text: string): Promise<string> {
    for (;;) {
      const found = this.#lines.find((line) => line.includes(text));
      if (found !== undefined) return found;
      if (this.#child.exitCode !== null) throw new TypeError(`ended before "${text}":\n${this.output}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async port(): Promise<number> {
    return Number(new URL(JSON.parse(await this.line('"event":"node.started"')).listeners[0]).port);
  }

  async metric(name: string): Promise<number> {
    const { address } = JSON.parse(await this.line('admin.opened'));
    const text = await (await fetch(`${address}/metrics`, { headers: { connection: 'close' } })).text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  }

  async stop(): Promise<void> {
    this.#child.kill();
    await this.closed;
  }
}

const connectPacket = Buffer.from([0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, 0]);

/** Connects; resolves with whether the broker has let it in. */
async function enters(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1', () => socket.write(connectPacket));
  clients.push(socket);
  socket.on('error', () => undefined);
  return new Promise((resolve) => {
    socket.once('data', () => resolve(true));
    socket.once('close', () => resolve(false));
  });
}

describe('a process that may open few files', () => {
  test.each([1, 2])(
    'says so at the start, closes whom it has no room for, and tells that, %i workers',
    async (workers) => {
      broker = new LimitedBroker(96, ['--workers', String(workers)]);
      const port = await broker.port();
      const warning = JSON.parse(await broker.line('"openFilesMax":96,'));
      const room: number = warning.connectionsMax;
      expect(warning).toMatchObject({ level: 'warn', openFilesMax: 96 });
      expect(room).toBeGreaterThan(10);
      expect(warning.openFilesNeeded).toBeGreaterThan(96);
      expect(await broker.metric('dunlin_connections_max')).toBe(room);
      expect(await broker.metric('process_max_fds')).toBe(96);

      for (let i = 0; i < room; i++) expect(await enters(port)).toBe(true);
      for (let i = 0; i < 30; i++) expect(await enters(port)).toBe(false);
      expect(JSON.parse(await broker.line('listener.refused'))).toMatchObject({
        level: 'warn',
        address: expect.stringContaining('127.0.0.1:'),
        reason: 'this process may open no more files: ulimit -n, LimitNOFILE=',
      });
      expect(await broker.metric('dunlin_open_files_full_total')).toBe(30);
      const open = await broker.metric('process_open_fds');
      expect(open).toBeGreaterThan(room);
      expect(open).toBeLessThan(96);

      // Who goes makes room.
      const leaver = clients[0];
      leaver.destroy();
      while (!(await enters(port)));
      expect(await broker.metric('dunlin_open_files_full_total')).toBeGreaterThanOrEqual(30);
    },
  );

  test.each([
    [30, 1],
    [34, 2],
    [50, 4],
  ])('does not start with %i files and %i workers, and says what it needs', async (files, workers) => {
    broker = new LimitedBroker(files, ['--workers', String(workers)]);
    const [code] = await broker.closed;
    expect(code).toBe(1);
    expect(broker.output).toMatch(
      /dunlin: open files: this process may (have \d+ \(ulimit -n, LimitNOFILE=\), and needs \d+ before the first client|open no more): raise/,
    );
    expect(broker.output).not.toContain('ended with code');
  });

  test('as many as limits.connectionsMax asks for need no word', async () => {
    broker = new LimitedBroker(200, ['--workers', '1', '--set', 'limits.connectionsMax=20']);
    await broker.port();
    expect(broker.output).not.toContain('open files');
    expect(await broker.metric('dunlin_connections_max')).toBe(20);
  });
});
