import { WireClient } from '@dunlin/testkit';

async function connect(port: number, clientId: string): Promise<WireClient> {
  const wire = await WireClient.open(`mqtt://127.0.0.1:${port}`, 5);
  wire.send({
    type: 'connect',
    version: 5,
    cleanStart: true,
    keepAliveSeconds: 0,
    clientId,
    will: null,
    userName: null,
    password: null,
    properties: {},
  });
  const { reasonCode } = await wire.expect('connack');
  if (reasonCode !== 0) throw new RangeError(`CONNACK with ${reasonCode}`);
  return wire;
}

/** One client subscribes, another publishes with QoS 1, perhaps at another port; resolves when the message has arrived. */
export async function publishAndReceive(port: number, publisherPort = port): Promise<void> {
  const subscriber = await connect(port, 'subscriber');
  const subscriptions = [
    { filter: 'deployed', qos: 1 as const, noLocal: false, retainAsPublished: false, retainHandling: 0 as const },
  ];
  subscriber.send({ type: 'subscribe', packetId: 1, subscriptionIdentifier: 0, properties: {}, subscriptions });
  await subscriber.expect('suback');
  const publisher = await connect(publisherPort, 'publisher');
  const payload = Buffer.from('here');
  publisher.send({
    type: 'publish',
    dup: false,
    qos: 1,
    retain: false,
    topic: 'deployed',
    packetId: 1,
    properties: {},
    payload,
  });
  await publisher.expect('puback');
  const received = await subscriber.expect('publish');
  if (Buffer.compare(Buffer.from(received.payload), payload) !== 0) throw new RangeError('another payload arrived');
  await publisher.drop();
  await subscriber.drop();
}
