import type { NodePorts } from './ports.ts';

/** How often a node is looked at. Two failures take it out, one success takes it in. */
const checkMilliseconds = 500;
/** A readiness that takes longer to come than this is none. */
const probeMilliseconds = 2000;

/** True when the admin server of a node answers questions about its readiness. */
export async function answersReadiness(adminPort: number): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(probeMilliseconds);
    const response = await fetch(`http://127.0.0.1:${adminPort}/readyz`, { signal });
    await response.arrayBuffer();
    return response.status === 200 || response.status === 503;
  } catch {
    return false;
  }
}

/**
 * What HAProxy is told: each new connection to the node with the fewest, by their health. Connections to a node that is not ready any more stay:
 * it says itself when its clients have to go.
 * @param checksReadiness asks `/readyz` of the admin servers; otherwise a node is healthy when its MQTT port takes a connection
 */
export function haproxyConfiguration(
  port: number,
  nodes: readonly { readonly id: string; readonly ports: NodePorts }[],
  checksReadiness: boolean,
): string {
  return [
    'global',
    '  hard-stop-after 1s',
    'defaults',
    '  mode tcp',
    '  timeout connect 2s',
    '  timeout check 2s',
    // Longer than anybody waits: MQTT has keep alives of its own.
    '  timeout client 24h',
    '  timeout server 24h',
    '  retries 3',
    '  option redispatch',
    'frontend mqtt',
    `  bind 127.0.0.1:${port}`,
    '  default_backend nodes',
    'backend nodes',
    '  balance leastconn',
    ...(checksReadiness ? ['  option httpchk GET /readyz', '  http-check expect status 200'] : []),
    `  default-server check inter ${checkMilliseconds}ms fall 2 rise 1`,
    ...nodes.map(({ id, ports }) => {
      const checkPort = checksReadiness ? ` port ${ports.admin}` : '';
      return `  server ${id} 127.0.0.1:${ports.mqtt}${checkPort}`;
    }),
    '',
  ].join('\n');
}
