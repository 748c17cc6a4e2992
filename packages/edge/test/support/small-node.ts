import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfiguration } from '@dunlin/config';
import { type EdgeNode, startNode } from '../../src/edge-node.ts';

const usualListeners: readonly unknown[] = ['tcp://127.0.0.1:0', 'ws://127.0.0.1:0/mqtt'];
const schemes = { tcp: 'mqtt', tls: 'mqtts', ws: 'ws' } as const;

/** Node of one worker in this process, with a store in memory and free ports on loopback. */
export class SmallNode {
  readonly node: EdgeNode;

  private constructor(node: EdgeNode) {
    this.node = node;
  }

  static async start(settings: Record<string, string> = {}, listeners = usualListeners): Promise<SmallNode> {
    const all = {
      ...{ nodeId: 'test', workers: '1', 'store.kind': 'memory', 'log.level': 'error', 'admin.address': '127.0.0.1:0' },
      ...settings,
    };
    const flags = Object.entries(all).map(([path, value]) => ({ flag: '--set', path, value }));
    const directory = mkdtempSync(join(tmpdir(), 'dunlin-small-'));
    try {
      const file = join(directory, 'dunlin.yaml');
      writeFileSync(file, JSON.stringify({ listeners }));
      const { configuration } = loadConfiguration({ file, environment: {}, flags });
      return new SmallNode(await startNode(configuration, { version: '0' }));
    } finally {
      rmSync(directory, { recursive: true });
    }
  }

  /** Address of its listener of this kind. */
  url(kind: 'tcp' | 'tls' | 'ws'): string {
    const address = this.node.addresses.find((one) => one.kind === kind);
    if (address === undefined || address.kind === 'unix') throw new TypeError(`no listener of kind ${kind}`);
    return `${schemes[kind]}://127.0.0.1:${address.port}${kind === 'ws' ? '/mqtt' : ''}`;
  }

  portOf(kind: 'tcp' | 'tls' | 'ws'): number {
    return Number(new URL(this.url(kind)).port);
  }

  /** Sum of the samples of a metric, of those with this label where one is given. */
  async metric(name: string, label = ''): Promise<number> {
    const text = await (await fetch(`${this.node.adminUrl}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.startsWith(name) && line.includes(label));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  stop(): Promise<void> {
    return this.node.stop();
  }
}
