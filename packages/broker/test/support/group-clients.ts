/** Publishers and members of the shared group `$share/g/jobs`. */
import type { Packet } from '@dunlin/protocol';
import { expect } from 'vitest';
import { ack, type Client, publish } from './client.ts';
import { drain } from './lossy-world.ts';
import type { Worker, World } from './world.ts';

export const durable = { cleanStart: false, expiry: 1000 };
/** The group of these tests. */
export const name = '$share/g/jobs';

/** Publishes payloads in their order and sees each acknowledged. */
export async function feed(publisher: Client, payloads: string[], qos: 1 | 2 = 1, topic = 'jobs'): Promise<void> {
  for (const [i, payload] of payloads.entries()) {
    await publisher.send(publish(topic, payload, qos, i + 1));
    if (qos === 1) expect(publisher.said()).toEqual([`puback #${i + 1}`]);
    else {
      expect(publisher.said()).toEqual([`pubrec #${i + 1}`]);
      await publisher.send(ack('pubrel', i + 1));
      expect(publisher.said()).toEqual([`pubcomp #${i + 1}`]);
    }
  }
}

/** The same payloads `publisher-number`, each publisher's in their order, at the places of that publisher. */
export function inOrder(payloads: string[]): string[] {
  const queues = new Map<string, number[]>();
  for (const payload of payloads) {
    const [publisher, number] = payload.split('-');
    queues.set(
      publisher,
      [...(queues.get(publisher) ?? []), Number(number)].sort((a, b) => a - b),
    );
  }
  return payloads.map((payload) => `${payload.split('-')[0]}-${queues.get(payload.split('-')[0])?.shift()}`);
}

/** Connects a client that finds messages waiting, and takes them all. */
export async function collect(worker: Worker, clientId: string): Promise<{ client: Client; got: string[] }> {
  const client = await worker.dial(clientId, durable);
  return { client, got: await drain(client) };
}

/** A connected member, durable unless the options say otherwise. */
export async function member(worker: Worker, clientId: string, qos: 0 | 1 | 2 = 1, options = {}): Promise<Client> {
  const client = await worker.connect(clientId, { ...durable, ...options });
  expect(await client.subscribe(name, qos)).toEqual([qos]);
  return client;
}

/** Payloads of the publishes among packets. */
export function payloads(packets: Packet[]): string[] {
  return packets.flatMap((packet) => (packet.type === 'publish' ? [packet.payload.toString()] : []));
}

/** Place up to which the group was served, from the store. */
export async function cursorOf(world: World): Promise<{ acknowledged: number; above: number[]; failed: number[] }> {
  return (await world.store.groups.claim(name)).cursor;
}
