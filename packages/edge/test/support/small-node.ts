import { loadConfiguration } from '@dunlin/config';
import { type EdgeNode, startNode } from '../../src/edge-node.ts';

/** Node of one worker in this process, with a store in memory and free ports on loopback. */
export class SmallNode {
  readonly node: EdgeNode;

  private constructor(node: EdgeNode) {
    this.node = node;
  }

  static async start(settings: Record<string, string> = {}): Promise<SmallNode> {
    const all = {
      nodeId: 'test',
      workers: '1',
      'store.kind': 'memory',
      listeners: 'tcp://127.0.0.1:0,ws://127.0.0.1:0/mqtt',
      'log.level': 'error',
      ...settings,
    };
    const flags = Object.entries(all).map(([path, value]) => ({ flag: '--set', path, value }));
    return new SmallNode(await startNode(loadConfiguration({ flags }).configuration, { version: '0' }));
  }

  /** Address of its TCP or WebSocket listener. */
  url(kind: 'tcp' | 'ws'): string {
    const address = this.node.addresses.find((one) => one.kind === kind);
    if (address === undefined || address.kind === 'unix') throw new TypeError(`no listener of kind ${kind}`);
    return kind === 'tcp' ? `mqtt://127.0.0.1:${address.port}` : `ws://127.0.0.1:${address.port}/mqtt`;
  }

  get port(): number {
    return Number(new URL(this.url('tcp')).port);
  }

  stop(): Promise<void> {
    return this.node.stop();
  }
}
