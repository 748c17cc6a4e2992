import type { Packet, Properties, ProtocolVersion, SubscriptionRequest } from '@dunlin/protocol';

/** The packets with this type. */
export type PacketOf<T extends Packet['type']> = Extract<Packet, { type: T }>;

/** Fields of a CONNECT; all else is filled in with what says least. The password may be text. */
export type ConnectOptions = Partial<Omit<PacketOf<'connect'>, 'type' | 'password'>> & {
  readonly password?: string | Buffer | null;
};

/** A CONNECT: MQTT 5, clean, no keep alive, an empty client identifier. */
export function connectPacket(options: ConnectOptions = {}): PacketOf<'connect'> {
  const version: ProtocolVersion = 5;
  const { password = null } = options;
  return {
    type: 'connect',
    version,
    cleanStart: true,
    keepAliveSeconds: 0,
    clientId: '',
    will: null,
    userName: null,
    properties: {},
    ...options,
    password: password === null ? null : Buffer.from(password),
  };
}

/** Fields of a PUBLISH; the payload may be text. */
export type PublishOptions = Partial<Omit<PacketOf<'publish'>, 'type' | 'payload'>> & {
  readonly topic: string;
  readonly payload?: string | Buffer;
};

/** A PUBLISH: QoS 0 and empty unless said otherwise; with QoS 1 and 2 the packet identifier is 1. */
export function publishPacket(options: PublishOptions): PacketOf<'publish'> {
  const qos = options.qos ?? 0;
  return {
    type: 'publish',
    dup: false,
    retain: false,
    packetId: qos === 0 ? 0 : 1,
    properties: {},
    ...options,
    qos,
    payload: Buffer.from(options.payload ?? ''),
  };
}

/** A filter with its options; QoS 0 and nothing else unless said otherwise. */
export type FilterOptions = Partial<SubscriptionRequest> & { readonly filter: string };

/** A SUBSCRIBE for one or more filters. */
export function subscribePacket(
  filters: FilterOptions | readonly FilterOptions[],
  packetId = 1,
  subscriptionIdentifier = 0,
  properties: Properties = {},
): PacketOf<'subscribe'> {
  const list = (Array.isArray(filters) ? filters : [filters]) as readonly FilterOptions[];
  const subscriptions = list.map((filter) => ({
    ...{ qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 },
    ...filter,
  })) as SubscriptionRequest[];
  return { type: 'subscribe', packetId, subscriptionIdentifier, properties, subscriptions };
}

/** An UNSUBSCRIBE for one or more filters. */
export function unsubscribePacket(
  filters: readonly string[],
  packetId = 1,
  properties: Properties = {},
): PacketOf<'unsubscribe'> {
  return { type: 'unsubscribe', packetId, filters: [...filters], properties };
}

/** A DISCONNECT. */
export function disconnectPacket(reasonCode = 0, properties: Properties = {}): PacketOf<'disconnect'> {
  return { type: 'disconnect', reasonCode, properties };
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP. */
export function ackPacket<T extends 'puback' | 'pubrec' | 'pubrel' | 'pubcomp'>(
  type: T,
  packetId: number,
  reasonCode = 0,
  properties: Properties | null = null,
): PacketOf<T> {
  return { type, packetId, reasonCode, properties } as PacketOf<T>;
}
