import type { Packet } from '@dunlin/protocol';
import { connectPacket as anyConnectPacket, type ConnectOptions } from '@dunlin/testkit';
import type { Level } from './statement.ts';

export {
  ackPacket,
  type ConnectOptions,
  disconnectPacket,
  type FilterOptions,
  type PublishOptions,
  publishPacket,
  subscribePacket,
  unsubscribePacket,
} from '@dunlin/testkit';

let names = 0;

/** A name that no other conversation has: for client identifiers (at most 23 letters and digits) and topics. */
export function uniqueName(): string {
  names += 1;
  return `c${process.pid}x${Date.now().toString(36)}x${names}`.slice(0, 23);
}

/** A CONNECT: clean, no keep alive, a client identifier of its own. */
export function connectPacket(level: Level, options: ConnectOptions = {}): Packet {
  return anyConnectPacket({ version: level, clientId: uniqueName(), ...options });
}

/** The options of a CONNECT whose session outlives its connection by a minute (3.1.1: for ever). */
export function durable(level: Level, options: ConnectOptions = {}): ConnectOptions {
  const properties = level === 5 ? { sessionExpiryInterval: 60, ...options.properties } : {};
  return { cleanStart: false, ...options, properties };
}
