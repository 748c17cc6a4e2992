import type { ProtocolVersion } from '@dunlin/protocol';

/** Identity of every client of the run. */
export interface ClientIdentity {
  readonly clientId: string;
  readonly version: ProtocolVersion;
  readonly qos: 1 | 2;
  /** Its session outlives its connections. */
  readonly isDurable: boolean;
  /** Address of its first connection. 0: the load balancer; n: the n-th node. */
  readonly address: number;
}

export interface PublisherIdentity extends ClientIdentity {
  readonly topics: readonly string[];
}

export interface SubscriberIdentity extends ClientIdentity {
  readonly filters: readonly string[];
  /** Members of a group share what comes to it; null: it gets everything itself. */
  readonly group: string | null;
  /** The most messages under way to it at once (MQTT 5). */
  readonly receiveMaximum: number;
}

export interface Roster {
  readonly publishers: readonly PublisherIdentity[];
  readonly subscribers: readonly SubscriberIdentity[];
}

/** Clients for each one whose session ends with its connection. */
const ephemeralEvery = 5;
/** Subscribers that get everything. */
const listenersToAll = 2;
const groupMembers = 3;

/** All combinations of version, QoS and address come up in eight clients or so. */
function identity(clientId: string, index: number, nodes: number): ClientIdentity {
  return {
    clientId,
    version: index % 2 === 0 ? 5 : 4,
    qos: Math.floor(index / 2) % 2 === 0 ? 2 : 1,
    isDurable: index % ephemeralEvery !== ephemeralEvery - 1,
    address: index % 3 === 0 ? 0 : 1 + (index % nodes),
  };
}

/**
 * Publishers p0, p1 … with two topics each, `chaos/p0/even` and `chaos/p0/odd`; subscribers s0, s1 …: two of everything, the others of one
 * publisher by `#`, of the next by `+`, and of one topic of a third, so that sessions have several logs and logs several sessions.
 */
export function makeRoster(options: {
  readonly publishers: number;
  readonly subscribers: number;
  readonly nodes: number;
  readonly groups: boolean;
}): Roster {
  const publishers = Array.from({ length: options.publishers }, (_, index) => ({
    ...identity(`p${index}`, index, options.nodes),
    topics: ['even', 'odd'].map((parity) => `chaos/p${index}/${parity}`),
  }));
  const subscribers: SubscriberIdentity[] = Array.from({ length: options.subscribers }, (_, index) => ({
    ...identity(`s${index}`, index, options.nodes),
    filters: index < listenersToAll ? ['chaos/#'] : filtersOf(index, options.publishers),
    group: null,
    // A window of a few messages is full often; one for everybody's messages must not be what everybody waits for.
    receiveMaximum: index < listenersToAll ? 100 : 4 + 13 * (index % 3),
  }));
  if (options.groups) {
    for (let index = 0; index < groupMembers; index++) {
      subscribers.push({
        ...identity(`g${index}`, index, options.nodes),
        qos: 2,
        isDurable: true,
        filters: ['$share/crew/chaos/#'],
        group: 'crew',
        receiveMaximum: 100,
      });
    }
  }
  return { publishers, subscribers };
}

/** Filters of different publishers, so that no message matches two of them. */
function filtersOf(index: number, publishers: number): string[] {
  const names = new Set([3 * index, 3 * index + 1, 3 * index + 2].map((number) => `p${number % publishers}`));
  const endings = ['#', '+', 'even'];
  return [...names].map((name, at) => `chaos/${name}/${endings[at]}`);
}
