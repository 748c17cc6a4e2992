import { once } from 'node:events';
import { createServer } from 'node:net';
import { freePort } from '@dunlin/testkit';

/** The ports of a node. */
export interface NodePorts {
  readonly mqtt: number;
  readonly admin: number;
  /** MQTT over WebSocket. */
  readonly ws: number;
}

/** The ports of a cluster. */
export interface ClusterPorts {
  readonly haproxy: number;
  readonly nats: number;
  readonly redis: number;
  readonly nodes: readonly NodePorts[];
}

/** A port of the cluster is in use by somebody else. */
export class PortOccupiedError extends Error {
  constructor(port: number, owner: string) {
    super(`port ${port}, meant for ${owner}, is in use; choose other ports with --base-port`);
    this.name = 'PortOccupiedError';
  }
}

/** Number of ports in a row that a cluster takes. */
export function portsNeeded(nodes: number): number {
  return 3 + 3 * nodes;
}

/**
 * The ports from `base` on, in this order:
 *
 *     base      HAProxy: MQTT
 *     base + 1  NATS
 *     base + 2  Redis
 *     base + 3  the first node: MQTT        base + 5  the second node: MQTT        …
 *     base + 4  the first node: admin       base + 6  the second node: admin
 *
 * and after the last node, for each: MQTT over WebSocket.
 */
export function portsFrom(base: number, nodes: number): ClusterPorts {
  const nodePorts = Array.from({ length: nodes }, (_, index) => ({
    mqtt: base + 3 + 2 * index,
    admin: base + 4 + 2 * index,
    ws: base + 3 + 2 * nodes + index,
  }));
  return { haproxy: base, nats: base + 1, redis: base + 2, nodes: nodePorts };
}

/** Ports that the system says are free now. */
export async function freePorts(nodes: number): Promise<ClusterPorts> {
  const [haproxy, nats, redis] = [await freePort(), await freePort(), await freePort()];
  const nodePorts: NodePorts[] = [];
  for (let index = 0; index < nodes; index++) {
    nodePorts.push({ mqtt: await freePort(), admin: await freePort(), ws: await freePort() });
  }
  return { haproxy, nats, redis, nodes: nodePorts };
}

/** Throws a PortOccupiedError unless every port can be listened on, on loopback. */
export async function requireFree(ports: ClusterPorts, nodeIds: readonly string[]): Promise<void> {
  const owners: [number, string][] = [
    [ports.haproxy, 'HAProxy'],
    [ports.nats, 'NATS'],
    [ports.redis, 'Redis'],
    ...ports.nodes.flatMap(({ mqtt, admin, ws }, index): [number, string][] => [
      [mqtt, `MQTT at node ${nodeIds[index]}`],
      [admin, `the admin server of node ${nodeIds[index]}`],
      [ws, `WebSocket at node ${nodeIds[index]}`],
    ]),
  ];
  for (const [port, owner] of owners) await requireFreePort(port, owner);
}

async function requireFreePort(port: number, owner: string): Promise<void> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EADDRINUSE') throw new PortOccupiedError(port, owner);
    throw cause;
  }
  server.close();
  await once(server, 'close');
}
