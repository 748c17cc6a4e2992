import type { Cluster, ClusterEvent } from './cluster.ts';
import type { Program } from './program.ts';

/** A name before a line, as wide as the longest. */
export function nameColumn(name: string): string {
  return `${name.padEnd('haproxy'.length)} |`;
}

/** Addresses of everything, as a table for people. */
export function describeCluster(cluster: Cluster): string {
  const rows: [string, number, string][] = [
    ['haproxy', cluster.haproxy.pid, `mqtt://127.0.0.1:${cluster.ports.haproxy}`],
    ...cluster.nodes.map(({ id, program, mqtt, admin, ws }): [string, number, string] => [
      `node ${id}`,
      program.pid,
      `mqtt://127.0.0.1:${mqtt}  admin http://127.0.0.1:${admin}  ws://127.0.0.1:${ws}/mqtt`,
    ]),
    ['nats', cluster.nats.pid, `nats://127.0.0.1:${cluster.ports.nats}`],
    ['redis', cluster.redis.pid, `redis://127.0.0.1:${cluster.ports.redis}`],
  ];
  const lines = rows.map(([name, pid, address]) => `${name.padEnd(9)} ${String(pid).padStart(8)}  ${address}`);
  return [`${'program'.padEnd(9)} ${'pid'.padStart(8)}  address`, ...lines, `logs: ${cluster.logs}`].join('\n');
}

/** Words for an event of a program. */
export function describeEvent(event: ClusterEvent): string {
  const { program } = event;
  const what = event.kind === 'ended' ? `ended (${event.how})` : `restarted, pid ${program.pid}`;
  return `${nameColumn(program.name)} ${what}`;
}

/** Addresses of everything, for programs. */
export function readyLine(cluster: Cluster): string {
  const { nodes, nats, redis, haproxy, ports, logs } = cluster;
  return JSON.stringify({
    nodes: nodes.map(({ id, program, mqtt, admin, ws }) => ({ id, pid: program.pid, mqtt, admin, ws })),
    nats: { pid: nats.pid, port: ports.nats },
    redis: { pid: redis.pid, port: ports.redis },
    haproxy: { pid: haproxy.pid, mqtt: ports.haproxy },
    logs,
  });
}

/** `{"restarted":{…}}` or `{"ended":{…}}`: a node by its `id`, another program by its `name`, with the pid it has or had. */
export function eventLine(cluster: Cluster, event: ClusterEvent): string {
  const place = placeOf(cluster, event.program);
  return JSON.stringify(event.kind === 'restarted' ? { restarted: place } : { ended: { ...place, how: event.how } });
}

function placeOf(cluster: Cluster, program: Program): object {
  const { pid, name } = program;
  const node = cluster.nodes.find((candidate) => candidate.program === program);
  if (node !== undefined) return { id: node.id, pid, mqtt: node.mqtt, admin: node.admin, ws: node.ws };
  if (program === cluster.haproxy) return { name, pid, mqtt: cluster.ports.haproxy };
  return { name, pid, port: program === cluster.nats ? cluster.ports.nats : cluster.ports.redis };
}
