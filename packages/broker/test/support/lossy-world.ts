import { ack, type Client } from './client.ts';
import { LossyHub } from './lossy-backplane.ts';
import { type Worker, type WorkerOptions, World } from './world.ts';

/** Workers whose frames may be lost, when a test says so. */
export async function lossy(
  count: number,
  limits = {},
  more: WorkerOptions = {},
): Promise<{ world: World; workers: Worker[]; hub: LossyHub }> {
  const { world, workers } = await World.of(count, { ...more, limits, hub: (clock) => new LossyHub(clock, 1) });
  return { world, workers, hub: world.hub as LossyHub };
}

/** Acknowledges everything, as long as anything comes, and returns the payloads in their order. */
export async function drain(client: Client): Promise<string[]> {
  const payloads: string[] = [];
  for (let packets = client.received(); packets.length > 0; packets = client.received()) {
    for (const packet of packets) {
      if (packet.type !== 'publish') continue;
      payloads.push(packet.payload.toString());
      if (packet.qos === 1) await client.send(ack('puback', packet.packetId));
    }
  }
  return payloads;
}
