import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectPacket, WireClient } from '@dunlin/testkit';
import { Dunlin } from '../command.ts';

/** A broker with the listeners of a test. Each is on a port that the system picks. */
export class ListenerNode {
  readonly broker: Dunlin;
  readonly directory: string;
  #urls: string[] = [];

  private constructor(broker: Dunlin, directory: string) {
    this.broker = broker;
    this.directory = directory;
  }

  /** `listeners` as in the configuration file, `words` as on the command line. */
  static async start(listeners: readonly unknown[], words: readonly string[] = []): Promise<ListenerNode> {
    const directory = mkdtempSync(join(tmpdir(), 'dunlin-listeners-'));
    configure(directory, listeners);
    const file = join(directory, 'dunlin.yaml');
    const broker = new Dunlin(['start', '--config', file, '--store', 'memory', '--workers', '1', ...words]);
    const node = new ListenerNode(broker, directory);
    await broker.until('"event":"node.started"');
    node.#urls = (broker.log().find((line) => line.event === 'node.started') as { listeners: string[] }).listeners;
    return node;
  }

  /** The URL of a listener as a client writes it. */
  url(index: number): string {
    return this.#urls[index].replace(/^tcp:/, 'mqtt:').replace(/^tls:/, 'mqtts:');
  }

  port(index: number): number {
    return Number(new URL(this.#urls[index]).port);
  }

  /** A client of a listener that was accepted. */
  async connect(index: number, clientId = ''): Promise<WireClient> {
    const client = await WireClient.open(this.url(index), 4);
    client.send(connectPacket({ version: 4, clientId }));
    await client.expectPacket({ type: 'connack', reasonCode: 0 });
    return client;
  }

  /** Writes other listeners into the configuration file; a reload reads it. */
  reconfigure(listeners: readonly unknown[]): void {
    configure(this.directory, listeners);
  }

  /** Asks for a reload and waits for the line of the log that says how it went. */
  async reload(line: string): Promise<void> {
    this.broker.child.kill('SIGHUP');
    await this.broker.until(line);
  }

  async stop(): Promise<void> {
    this.broker.child.kill('SIGKILL');
    await this.broker.finished;
    rmSync(this.directory, { recursive: true });
  }
}

function configure(directory: string, listeners: readonly unknown[]): void {
  writeFileSync(join(directory, 'dunlin.yaml'), JSON.stringify({ listeners })); // which is YAML, too
}
