import type { Packet, ProtocolVersion } from '@dunlin/protocol';
import { connectPacket, DeadlineError, WireClient } from '@dunlin/testkit';

/** Sessions that never expire (MQTT 5). */
const neverExpires = 0xffffffff;

/** A live broker answers within this, on a busy machine too; silence for longer is a failure. */
const answerMilliseconds = 20_000;

/** Address that clients connect to. */
export interface Address {
  /** True while a broker runs that must not lose anybody. */
  readonly isOpen: boolean;
  /** The address of a broker, as soon as one runs. */
  url(): Promise<string>;
}

/** State that the clients of one run share. */
export interface Crew {
  readonly address: Address;
  readonly version: ProtocolVersion;
  /** Called for every packet from the broker: what random moments are counted in. */
  readonly heard: () => void;
  /** Silence for longer than this is the end of a connection; that of a live broker on a busy machine unless given. */
  readonly silenceMilliseconds?: number;
}

/**
 * A client with a session that outlives its connections, and the broker's process. It reconnects without end, and keeps what MQTT says
 * that a client keeps. What the broker does wrong is collected in `faults`.
 */
export abstract class DurableClient {
  readonly clientId: string;
  readonly faults: string[] = [];
  protected readonly crew: Crew;
  /** The connection, once CONNACK has come; null between connections. */
  protected wire: WireClient | null = null;
  #isStopped = false;
  /** The broker has said with CONNACK that the session is there; from then on it must always be. */
  #hasSession = false;
  #running: Promise<void> = Promise.resolve();

  constructor(crew: Crew, clientId: string) {
    this.crew = crew;
    this.clientId = clientId;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Ends the connection and the client. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.wire?.drop();
    await this.#running;
  }

  /** CONNACK has come. `isPresent`: Session Present. */
  protected abstract connected(wire: WireClient, isPresent: boolean): void;
  /** Handles any packet after CONNACK. */
  protected abstract received(wire: WireClient, packet: Packet): void;

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const url = await this.crew.address.url();
      let wire: WireClient | null = null;
      try {
        wire = await WireClient.open(url, this.crew.version);
        await this.#converse(wire);
      } catch (error) {
        if (!(error instanceof DeadlineError)) throw error;
        if (this.crew.address.isOpen && !this.#isStopped) this.#fault(`lost a broker that runs: ${error.message}`);
      } finally {
        this.wire = null;
        await wire?.drop();
      }
    }
  }

  async #converse(wire: WireClient): Promise<void> {
    wire.send(this.#connect());
    const silenceMilliseconds = this.crew.silenceMilliseconds ?? answerMilliseconds;
    const connack = await wire.expect('connack', silenceMilliseconds);
    this.crew.heard();
    if (connack.reasonCode !== 0) throw new DeadlineError(`refused with ${connack.reasonCode}`);
    if (this.#hasSession && !connack.sessionPresent) this.#fault('the session is gone');
    this.#hasSession = true;
    this.wire = wire;
    this.connected(wire, connack.sessionPresent);
    for (;;) {
      const packet = await wire.next(silenceMilliseconds);
      if (packet.type === 'disconnect') throw new DeadlineError(`DISCONNECT with ${packet.reasonCode}`);
      this.received(wire, packet);
      this.crew.heard();
    }
  }

  #fault(message: string): void {
    this.faults.push(`${this.clientId}: ${message}`);
    // One broken promise may break every later connection: the first ones tell enough.
    if (this.faults.length > 5) this.#isStopped = true;
  }

  #connect(): Packet {
    const { version } = this.crew;
    const properties = version === 5 ? { sessionExpiryInterval: neverExpires } : {};
    return connectPacket({ version, cleanStart: false, clientId: this.clientId, properties });
  }
}
