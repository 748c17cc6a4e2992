import type { Packet, Properties, SubscriptionRequest } from '@dunlin/protocol';
import type { PacketOf } from '@dunlin/testkit';
import type { Level } from './statement.ts';

let names = 0;

/** A name that no other conversation has: for client identifiers (at most 23 letters and digits) and topics. */
export function uniqueName(): string {
  names += 1;
  return `c${process.pid}x${Date.now().toString(36)}x${names}`.slice(0, 23);
}

/** What a CONNECT may say; all else is filled in with what says least. */
export type ConnectOptions = Partial<Omit<PacketOf<'connect'>, 'type' | 'version'>>;

/** A CONNECT: clean, no keep alive, a client identifier of its own. */
export function connectPacket(level: Level, options: ConnectOptions = {}): Packet {
  return {
    type: 'connect',
    version: level,
    cleanStart: true,
    keepAliveSeconds: 0,
    clientId: uniqueName(),
    will: null,
    userName: null,
    password: null,
    properties: {},
    ...options,
  };
}

/** What a PUBLISH may say; the payload may be text. */
export type PublishOptions = Partial<Omit<PacketOf<'publish'>, 'type' | 'payload'>> & {
  readonly topic: string;
  readonly payload?: string | Buffer;
};

/** A PUBLISH: QoS 0 and empty unless said otherwise; with QoS 1 and 2 the packet identifier is 1. */
export function publishPacket(options: PublishOptions): Packet {
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
  filters: readonly FilterOptions[],
  packetId = 1,
  subscriptionIdentifier = 0,
  properties: Properties = {},
): Packet {
  return {
    type: 'subscribe',
    packetId,
    subscriptionIdentifier,
    properties,
    subscriptions: filters.map((filter) => ({
      qos: 0,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0,
      ...filter,
    })),
  };
}

/** An UNSUBSCRIBE for one or more filters. */
export function unsubscribePacket(filters: readonly string[], packetId = 1, properties: Properties = {}): Packet {
  return { type: 'unsubscribe', packetId, filters: [...filters], properties };
}

/** A DISCONNECT. */
export function disconnectPacket(reasonCode = 0, properties: Properties = {}): Packet {
  return { type: 'disconnect', reasonCode, properties };
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP. */
export function ackPacket(
  type: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp',
  packetId: number,
  reasonCode = 0,
  properties: Properties | null = null,
): Packet {
  return { type, packetId, reasonCode, properties };
}

/** The options of a CONNECT whose session outlives its connection by a minute (3.1.1: for ever). */
export function durable(level: Level, options: ConnectOptions = {}): ConnectOptions {
  const properties = level === 5 ? { sessionExpiryInterval: 60, ...options.properties } : {};
  return { cleanStart: false, ...options, properties };
}
