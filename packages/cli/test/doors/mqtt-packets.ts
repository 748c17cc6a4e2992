import type { PacketOf } from '@dunlin/testkit';

export function connectPacketOf(clientId: string): PacketOf<'connect'> {
  return {
    type: 'connect',
    version: 4,
    clientId,
    cleanStart: true,
    keepAliveSeconds: 0,
    will: null,
    userName: null,
    password: null,
    properties: {},
  };
}

export function subscribePacketOf(filter: string): PacketOf<'subscribe'> {
  const subscription = { filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
  return { type: 'subscribe', packetId: 1, subscriptionIdentifier: 0, properties: {}, subscriptions: [subscription] };
}

export function publishPacketOf(topic: string, payload: Buffer): PacketOf<'publish'> {
  return { type: 'publish', dup: false, qos: 1, retain: false, topic, packetId: 1, properties: {}, payload };
}
