import type { Packet } from '@dunlin/protocol';
import { connectPacket, SeededRandom } from '@dunlin/testkit';
import type { Chronicle } from './chronicle.ts';
import { Connection, undecodable } from './connection.ts';
import type { MoveKind } from './fault.ts';
import type { Ledger } from './ledger.ts';
import type { ClientIdentity } from './roster.ts';

/** A place to connect: the load balancer, or a node. */
export interface Address {
  readonly name: string;
  readonly port: number;
}

/** State that the clients of a run share. */
export interface World {
  readonly addresses: readonly Address[];
  readonly ledger: Ledger;
  readonly chronicle: Chronicle;
  readonly seed: number;
}

/** Sessions live longer than any run. */
const sessionExpirySeconds = 24 * 3600;
/** The broker ends a connection that is silent for 1.5 times this. */
const keepAliveSeconds = 10;
/** A client that has said nothing for so long pings. */
const pingMilliseconds = 2000;
const tickMilliseconds = 500;
/**
 * Time that a client waits for a broker that sends nothing at all, before it tries elsewhere: each client another
 * while.
 */
const patienceMilliseconds = { shortest: 3500, longest: 9000 };
/** Time from the loss of a connection to the next attempt. */
const reconnectMilliseconds = { shortest: 50, longest: 500 };

/**
 * A client that reconnects without end.
 *
 *     #current   the connection that CONNACK has come on: everything is said there
 *     #next      the one that waits for CONNACK. When it comes, the other is dropped at that moment, unread bytes and all: from then
 *                on the broker speaks for the session here
 */
export abstract class ChaosClient {
  readonly identity: ClientIdentity;
  protected readonly world: World;
  protected readonly random: SeededRandom;
  #current: Connection | null = null;
  #next: Connection | null = null;
  /** CONNACK has said that the session is there: from then on it must be. */
  #hasSession = false;
  #isStopped = false;
  #tick: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #connections = 0;

  constructor(world: World, identity: ClientIdentity, number: number) {
    this.world = world;
    this.identity = identity;
    // Not the random numbers of the plan: how often a client draws depends on what the broker does.
    this.random = new SeededRandom(world.seed * 1000 + number);
  }

  get clientId(): string {
    return this.identity.clientId;
  }

  /** The connection it speaks on; null between connections. */
  protected get current(): Connection | null {
    return this.#current;
  }

  /** True when it is connected and can do its work. */
  get isBack(): boolean {
    return this.#current !== null && this.#next === null;
  }

  /** Number of its connections so far. */
  get connections(): number {
    return this.#connections;
  }

  start(): void {
    this.#tick = setInterval(() => this.#look(), tickMilliseconds);
    this.#connect(this.identity.address);
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#tick);
    clearTimeout(this.#retry);
    this.#next?.drop();
    this.#next = null;
    this.#current?.disconnect();
    if (this.#current !== null) this.#lost();
  }

  /** Goes to another address. */
  move(how: MoveKind, address: number): void {
    if (this.#isStopped) return;
    this.world.chronicle.note(this.clientId, `moves: ${how} to ${this.world.addresses[address].name}`);
    if (how !== 'takeover' && this.#current !== null) {
      if (how === 'reconnect') this.#current.disconnect();
      else this.#current.drop();
      this.#lost();
    }
    this.#connect(address);
  }

  /** CONNACK has come. `isPresent`: the broker has the session. `wasLost`: it should have had it. */
  protected abstract connected(connection: Connection, isPresent: boolean, wasLost: boolean): void;
  /** The connection is gone, whoever ended it. */
  protected abstract disconnected(): void;
  /** Handles any packet but CONNACK, PINGRESP and DISCONNECT. */
  protected abstract received(connection: Connection, packet: Packet): void;

  #connect(address: number): void {
    clearTimeout(this.#retry);
    this.#next?.drop();
    const { name, port } = this.world.addresses[address];
    this.#next = new Connection(port, name, this.identity.version, {
      opened: (connection) => connection.send(this.#connectPacket()),
      packet: (connection, packet) => this.#heard(connection, packet),
      closed: (connection, why) => this.#closed(connection, why),
    });
  }

  #connectPacket(): Packet {
    const { version, isDurable } = this.identity;
    const further = { ...this.connectProperties(), sessionExpiryInterval: isDurable ? sessionExpirySeconds : 0 };
    const properties = version === 5 ? further : {};
    return connectPacket({ version, cleanStart: !isDurable, keepAliveSeconds, clientId: this.clientId, properties });
  }

  /** Further properties of CONNECT (MQTT 5). */
  protected connectProperties(): { receiveMaximum?: number } {
    return {};
  }

  #heard(connection: Connection, packet: Packet): void {
    if (connection === this.#next) {
      this.#connackOrNot(connection, packet);
      return;
    }
    if (packet.type === 'pingresp') return;
    if (packet.type === 'disconnect') {
      connection.drop();
      this.#closed(connection, `DISCONNECT with 0x${packet.reasonCode.toString(16)}`);
      return;
    }
    this.received(connection, packet);
  }

  #connackOrNot(connection: Connection, packet: Packet): void {
    if (packet.type !== 'connack' || packet.reasonCode !== 0) {
      connection.drop();
      const what = packet.type === 'connack' ? `refused with 0x${packet.reasonCode.toString(16)}` : packet.type;
      this.#closed(connection, what);
      return;
    }
    if (this.#current !== null) {
      this.#current.drop();
      this.#lost();
    }
    this.#current = connection;
    this.#next = null;
    this.#connections++;
    const { sessionPresent } = packet;
    const { chronicle } = this.world;
    const took = Math.round(performance.now() - connection.startedAt);
    chronicle.note(
      this.clientId,
      `connected at ${connection.addressName} in ${took} ms, session present ${sessionPresent ? 1 : 0}`,
    );
    const wasLost = this.#hasSession && !sessionPresent;
    if (wasLost)
      chronicle.fail(this.clientId, 'lost session: CONNACK says session present 0 for a session that must exist');
    if (!this.identity.isDurable && sessionPresent)
      chronicle.fail(this.clientId, 'session present 1 after a clean start');
    this.#hasSession = this.identity.isDurable;
    this.connected(connection, sessionPresent, wasLost);
  }

  #closed(connection: Connection, why: string): void {
    const { chronicle } = this.world;
    if (why.startsWith(undecodable)) chronicle.fail(this.clientId, why);
    else
      chronicle.note(
        this.clientId,
        `${connection === this.#next ? 'not connected' : 'lost connection'} at ${connection.addressName}: ${why}`,
      );
    if (connection === this.#next) this.#next = null;
    if (connection === this.#current) this.#lost();
    if (this.#next === null && this.#current === null) this.#connectSoon();
  }

  #lost(): void {
    this.#current = null;
    this.disconnected();
  }

  /** Most clients have one address and keep to it; one time in three it is another address. */
  #connectSoon(): void {
    if (this.#isStopped) return;
    clearTimeout(this.#retry);
    const elsewhere = this.random.between(1, 3) === 1;
    const address = elsewhere ? this.random.between(0, this.world.addresses.length - 1) : this.identity.address;
    const { shortest, longest } = reconnectMilliseconds;
    this.#retry = setTimeout(() => this.#connect(address), this.random.between(shortest, longest));
  }

  /** Gives up connections that are silent, and pings. */
  #look(): void {
    const now = performance.now();
    const patience = this.random.between(patienceMilliseconds.shortest, patienceMilliseconds.longest);
    for (const connection of [this.#next, this.#current]) {
      if (connection !== null && now - connection.lastHeardAt > patience) {
        connection.drop();
        this.#closed(connection, 'silent');
      }
    }
    if (this.#current !== null && now - this.#current.lastSentAt > pingMilliseconds)
      this.#current.send({ type: 'pingreq' });
  }
}
