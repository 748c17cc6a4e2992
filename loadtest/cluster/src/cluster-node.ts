import { FaultProxy } from '@dunlin/testkit';
import type { NodePorts } from './ports.ts';
import type { Program } from './program.ts';

/** Nodes have one letter each. */
export const nodesMax = 26;

/** The identifier of the node at `index`: a, b, c … */
export function nodeId(index: number): string {
  return String.fromCharCode('a'.charCodeAt(0) + index);
}

/** The ways of one node to its servers, through proxies of its own, so that each can be cut. */
export interface NodeLinks {
  readonly nats: FaultProxy;
  readonly redis: FaultProxy;
}

/** Node of the cluster. */
export interface ClusterNode {
  readonly id: string;
  /** The port for MQTT. */
  readonly mqtt: number;
  /** The port of the admin server. */
  readonly admin: number;
  /** The port for MQTT over WebSocket, with the path `/mqtt`. */
  readonly ws: number;
  readonly program: Program;
  /** Null: the node reaches NATS and Redis directly. */
  readonly links: NodeLinks | null;
}

/** Proxies between one node and its servers. */
export async function openLinks(natsPort: number, redisPort: number): Promise<NodeLinks> {
  return { nats: await FaultProxy.start({ port: natsPort }), redis: await FaultProxy.start({ port: redisPort }) };
}

/** Settings of a node. */
export interface NodeSettings {
  readonly id: string;
  readonly ports: NodePorts;
  readonly natsPort: number;
  readonly redisPort: number;
  readonly workers: number;
  /** Further arguments of `dunlin start`. */
  readonly further: readonly string[];
}

/** The arguments of `dunlin` for a node of a cluster. */
export function nodeArguments({ id, ports, natsPort, redisPort, workers, further }: NodeSettings): string[] {
  return [
    'start',
    ...['--node-id', id],
    ...['--listener', `tcp://127.0.0.1:${ports.mqtt}`],
    ...['--listener', `ws://127.0.0.1:${ports.ws}/mqtt`],
    ...['--admin', `127.0.0.1:${ports.admin}`],
    ...['--store', `redis://127.0.0.1:${redisPort}`],
    ...['--backplane', `nats://127.0.0.1:${natsPort}`],
    ...['--workers', String(workers)],
    ...further,
  ];
}

/** True for the line of a node's log that says that it accepts connections. */
export function isReadyLine(line: string): boolean {
  if (!line.startsWith('{')) return false;
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === 'object' && entry !== null && 'event' in entry && entry.event === 'node.started';
  } catch {
    return false; // A line that only looks like one of its log.
  }
}
