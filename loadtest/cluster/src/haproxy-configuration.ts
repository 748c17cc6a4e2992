import type { NodePorts } from './ports.ts';

/**
 * Configuration of HAProxy beside `compose/haproxy.cfg`, in two files around it: where it listens is read before it,
 * the nodes after it.
 */
export interface HaproxyFiles {
  readonly before: string;
  readonly after: string;
}

/** The two files for a cluster on loopback. */
export function haproxyFiles(
  port: number,
  nodes: readonly { readonly id: string; readonly ports: NodePorts }[],
): HaproxyFiles {
  const servers = nodes.map(({ id, ports }) => `  server ${id} 127.0.0.1:${ports.mqtt} port ${ports.admin}`);
  return {
    before: ['global', '  hard-stop-after 1s', `  setenv MQTT_BIND 127.0.0.1:${port}`, ''].join('\n'),
    after: ['backend nodes', ...servers, ''].join('\n'),
  };
}
