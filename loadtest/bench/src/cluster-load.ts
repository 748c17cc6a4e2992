/**
 * Load that the generator cannot make: many durable sessions that are not there, many routes, and costs of a program so
 * far.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Cluster } from '@dunlin/cluster';
import { connectPacket, disconnectPacket, freePort, subscribePacket, WireClient } from '@dunlin/testkit';
import { DUNLIN } from './checkout.ts';

/** Ticks of /proc/PID/stat; Linux has used 100 a second for user space since long ago. */
const MICROSECONDS_PER_TICK = 10_000;
/** Connections at once: below what a listener's queue takes. */
const AT_ONCE = 100;
/** Filters in one SUBSCRIBE: about 30 KB. */
const FILTERS_AT_ONCE = 1000;

/** User and system time of a process since its start, in microseconds. */
export function cpuMicroseconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MICROSECONDS_PER_TICK;
}

/** A client that has connected; `clean` false: with a session that stays when it leaves. */
export async function connected(port: number, clientId: string, clean: boolean): Promise<WireClient> {
  const client = await WireClient.open(`mqtt://127.0.0.1:${port}`, 4);
  client.send(connectPacket({ version: 4, clientId, cleanStart: clean }));
  await client.expect('connack');
  return client;
}

/** Subscribes to all of them at this QoS. */
export async function subscribe(client: WireClient, filters: readonly string[], qos: 0 | 1): Promise<void> {
  for (let at = 0, packetId = 1; at < filters.length; at += FILTERS_AT_ONCE, packetId++) {
    const subscriptions = filters.slice(at, at + FILTERS_AT_ONCE).map((filter) => ({ filter, qos }));
    client.send(subscribePacket(subscriptions, packetId));
    await client.expect('suback', 60_000);
  }
}

/** Durable sessions on one filter whose clients have left. */
export async function offlineSessions(port: number, from: number, to: number, filter: string): Promise<void> {
  for (let at = from; at < to; at += AT_ONCE) {
    const names = Array.from({ length: Math.min(AT_ONCE, to - at) }, (_, i) => `offline-${at + i}`);
    await Promise.all(
      names.map(async (name) => {
        const client = await connected(port, name, false);
        await subscribe(client, [filter], 1);
        client.send(disconnectPacket());
        await client.expectClosed();
      }),
    );
  }
}

/** Starts one more node of the cluster, not watched by it; resolves when it is ready. */
export async function joiningNode(cluster: Cluster, id: string): Promise<{ child: ChildProcess; port: number }> {
  const port = await freePort();
  const { nats, redis } = cluster.ports;
  const address = ['--listener', `tcp://127.0.0.1:${port}`, '--node-id', id, '--workers', '1'];
  const servers = ['--store', `redis://127.0.0.1:${redis}`, '--backplane', `nats://127.0.0.1:${nats}`];
  const child = spawn(process.execPath, [DUNLIN, 'start', ...address, ...servers], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, 'exit').then(() => Promise.reject(new Error(`node ${id} ended before it was ready`)));
  const ready = new Promise<void>((resolve) =>
    lines.on('line', (line) => line.includes('"node.started"') && resolve()),
  );
  await Promise.race([ready, ended]);
  ended.catch(() => {}); // later it is meant to end
  return { child, port };
}
