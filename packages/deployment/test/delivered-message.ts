import { Conversation } from '@dunlin/testkit';

async function connect(port: number, clientId: string): Promise<Conversation> {
  const wire = await Conversation.open(`mqtt://127.0.0.1:${port}`);
  await wire.connect({ clientId });
  return wire;
}

/**
 * Lets one client subscribe and another publish with QoS 1, perhaps at another port; resolves when the message has
 * arrived.
 */
export async function publishAndReceive(port: number, publisherPort = port): Promise<void> {
  const subscriber = await connect(port, 'subscriber');
  await subscriber.subscribe('deployed', 1);
  const publisher = await connect(publisherPort, 'publisher');
  await publisher.publish({ topic: 'deployed', payload: 'here', qos: 1 });
  const [received] = await subscriber.receiveTexts(1);
  if (received !== 'here') throw new RangeError('another payload arrived');
  await publisher.drop();
  await subscriber.drop();
}
