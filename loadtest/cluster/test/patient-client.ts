import { setTimeout } from 'node:timers/promises';
import { connectPacket, DeadlineError, publishPacket, WireClient } from '@dunlin/testkit';

const neverExpires = 0xffffffff;
/** A node that lost its servers a moment ago may turn clients away; they come again, as clients do, no longer than this. */
const patienceMilliseconds = 20_000;
const againMilliseconds = 100;

/** A client with a session, connected. `mustBePresent`: the broker must know the session. */
export async function connectThrough(port: number, clientId: string, mustBePresent = false): Promise<WireClient> {
  const end = Date.now() + patienceMilliseconds;
  for (;;) {
    try {
      return await connectOnce(port, clientId, mustBePresent);
    } catch (error) {
      if (!(error instanceof DeadlineError) || Date.now() > end) throw error;
      await setTimeout(againMilliseconds);
    }
  }
}

async function connectOnce(port: number, clientId: string, mustBePresent: boolean): Promise<WireClient> {
  const wire = await WireClient.open(`mqtt://127.0.0.1:${port}`, 5);
  wire.send(connectPacket({ cleanStart: false, clientId, properties: { sessionExpiryInterval: neverExpires } }));
  try {
    const { reasonCode, sessionPresent } = await wire.expect('connack');
    if (reasonCode === 0 && (sessionPresent || !mustBePresent)) return wire;
    throw new DeadlineError(`CONNACK with ${reasonCode}, session present ${sessionPresent}`);
  } catch (error) {
    await wire.drop();
    throw error;
  }
}

/** Publishes one message with QoS 1 and waits until it is acknowledged. */
export async function publishThrough(port: number, topic: string): Promise<void> {
  const wire = await connectThrough(port, `publisher of ${topic}`);
  wire.send(publishPacket({ topic, payload: 'here', qos: 1 }));
  const { reasonCode } = await wire.expect('puback', patienceMilliseconds);
  if (reasonCode >= 0x80) throw new DeadlineError(`PUBACK with ${reasonCode}`);
  await wire.drop();
}
