import { clearInterval, clearTimeout, setInterval, setTimeout } from 'k6/timers';
import { type CloseEvent, type MessageEvent, WebSocket } from 'k6/websockets';
import type { Clock } from './clock.ts';
import {
  type Connack,
  type Connect,
  encodeAcknowledgement,
  encodeConnect,
  encodeEmpty,
  encodePublish,
  encodeSubscribe,
  packetType,
  type QoS,
  readAcknowledgement,
  readConnack,
  readDisconnect,
  readPublish,
  readSuback,
  refusalFirst,
} from './codec.ts';
import { PacketReader } from './packet-reader.ts';

/** A PINGREQ goes out at this part of the keep alive, so that a busy k6 is not late. */
const pingPart = 0.75;
const packetIdMax = 65_535;

/** Options of one connection. */
export interface ClientOptions extends Connect {
  readonly url: string;
  /** Messages that may wait for their acknowledgement at once. */
  readonly inflight: number;
  readonly timeoutSeconds: number;
}

/** Receiver of a client's events. */
export interface ClientEvents {
  /** A message came; its payload is bytes[start, end). `arrivedAt`: when it was read from the socket. */
  message(bytes: Uint8Array, start: number, end: number, arrivedAt: number): void;
  /** PUBACK or PUBCOMP came, so many milliseconds after PUBLISH. */
  acknowledged(milliseconds: number): void;
  /** A message was refused with this reason code. */
  refused(reasonCode: number): void;
  /** The connection, once it stood, ended without being asked. */
  lost(why: string): void;
}

/** Session that a client keeps from one connection to the next: which QoS 2 messages it has and has not released. */
export type SessionState = Set<number>;

/** A connection that did not come to stand, or an answer that did not come. */
export class MqttError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MqttError';
  }
}

interface Waiter {
  resolve(answer: Acknowledged | Connack | null): void;
  reject(error: Error): void;
}
interface Acknowledged {
  readonly reasonCode: number;
}

/**
 * An MQTT client over one WebSocket of k6. It acknowledges what comes at once; packets that are made in one turn go out in one frame.
 *
 *     connecting ── CONNACK ──> open ── end() or drop() ──> closing ──> closed
 *         └───────────────────────┴──────── lost ──────────────────────────^
 */
export class MqttClient {
  readonly options: ClientOptions;
  /** Flag of CONNACK: the server knew the session. */
  sessionPresent = false;
  /** Number of messages that have been acknowledged. */
  acknowledged = 0;
  /** Called when one more message may be sent. */
  onAcknowledged: (() => void) | null = null;
  readonly #events: ClientEvents;
  readonly #clock: Clock;
  readonly #session: SessionState;
  readonly #socket: WebSocket;
  readonly #reader: PacketReader;
  readonly #waiters = new Map<string, Waiter>();
  readonly #closed: Promise<void>;
  #markClosed: () => void = () => {};
  #state: 'connecting' | 'open' | 'closing' | 'closed' = 'connecting';
  #why = '';
  #out: Uint8Array[] = [];
  #outBytes = 0;
  /** Times at which messages were sent, by packet identifier. */
  readonly #inflight = new Map<number, number>();
  #window: number;
  #lastPacketId = 0;
  #arrivedAt = 0;
  #pings: number | null = null;

  private constructor(options: ClientOptions, events: ClientEvents, clock: Clock, session: SessionState) {
    this.options = options;
    this.#events = events;
    this.#clock = clock;
    this.#session = session;
    this.#window = options.inflight;
    this.#closed = new Promise((resolve) => {
      this.#markClosed = resolve;
    });
    this.#reader = new PacketReader((header, bytes, start, end) => this.#packet(header, bytes, start, end));
    this.#socket = new WebSocket(options.url, 'mqtt'); // [MQTT-6.0.0-3]
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.onopen = (event) => {
      clock.calibrate(event.timestamp);
      this.#opened();
    };
    this.#socket.onmessage = (event) => this.#frame(event);
    this.#socket.onerror = (event) => {
      this.#why ||= event.error;
    };
    this.#socket.onclose = (event) => this.#ended(event);
  }

  /**
   * Connects. Resolves when CONNACK says yes.
   * @param session what the last connection of this session left, or an empty set
   * @throws MqttError
   */
  static async connect(
    options: ClientOptions,
    events: ClientEvents,
    clock: Clock,
    session: SessionState = new Set(),
  ): Promise<MqttClient> {
    const client = new MqttClient(options, events, clock, session);
    const { reasonCode } = (await client.#answer('connack', 'CONNACK')) as Connack;
    if (reasonCode === 0) return client;
    await client.drop();
    throw new MqttError(`${options.url} refused ${options.clientId} with reason code ${reasonCode}`);
  }

  /** True while messages can be sent. */
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Number of messages that wait for their acknowledgement. */
  get inflight(): number {
    return this.#inflight.size;
  }

  /** Subscribes to a filter. @throws MqttError when it is refused */
  async subscribe(filter: string, qos: QoS): Promise<void> {
    const packetId = this.#nextPacketId();
    this.#queue(encodeSubscribe(packetId, filter, qos, this.options.version));
    this.flush();
    const { reasonCode } = (await this.#answer(`suback ${packetId}`, `SUBACK for ${filter}`)) as Acknowledged;
    if (reasonCode >= refusalFirst) throw new MqttError(`${filter} was refused with reason code ${reasonCode}`);
  }

  /** True when a message with this QoS may be sent now. */
  canPublish(qos: QoS): boolean {
    return this.#state === 'open' && (qos === 0 || this.#inflight.size < this.#window); // [MQTT-3.3.4-9]
  }

  /** Makes a PUBLISH, which goes out with `flush`. `canPublish` must be true. */
  publish(topic: Uint8Array, payload: Uint8Array, qos: QoS, retain: boolean): void {
    const packetId = qos === 0 ? 0 : this.#nextPacketId();
    if (qos > 0) this.#inflight.set(packetId, this.#clock.now());
    this.#queue(encodePublish({ topic, payload, qos, retain, packetId }, this.options.version));
  }

  /** Sends what has been made since the last time, in one frame. */
  flush(): void {
    if (this.#outBytes === 0) return;
    const frame = new Uint8Array(this.#outBytes);
    let at = 0;
    for (const packet of this.#out) {
      frame.set(packet, at);
      at += packet.length;
    }
    this.#out = [];
    this.#outBytes = 0;
    if (this.#socket.readyState === 1) this.#socket.send(frame.buffer);
  }

  /** Sends PINGREQ and waits for the answer. @throws MqttError */
  async ping(): Promise<void> {
    this.#queue(encodeEmpty(packetType.pingreq));
    this.flush();
    await this.#answer('pingresp', 'PINGRESP');
  }

  /** Says DISCONNECT and closes. Resolves when it is closed. */
  async end(): Promise<void> {
    if (this.#state === 'open') {
      this.#queue(encodeEmpty(packetType.disconnect));
      this.flush();
    }
    await this.drop();
  }

  /** Closes without a DISCONNECT, as a client does whose network has gone. Resolves when it is closed. */
  async drop(): Promise<void> {
    // A socket that is still connecting cannot be closed; `#opened` does it then.
    if (this.#state !== 'closed') this.#state = 'closing';
    if (this.#socket.readyState === 1) this.#socket.close();
    await this.#closed;
  }

  #opened(): void {
    if (this.#state === 'closing') {
      this.#socket.close();
      return;
    }
    this.#queue(encodeConnect(this.options));
    this.flush();
  }

  /** Takes in a CONNACK that says yes; at once, since messages may follow it in the same frame. */
  #accept({ sessionPresent, receiveMaximum, serverKeepAliveSeconds }: Connack): void {
    this.#state = 'open';
    this.sessionPresent = sessionPresent;
    if (!sessionPresent) this.#session.clear();
    this.#window = Math.min(this.#window, receiveMaximum);
    const keepAliveSeconds = serverKeepAliveSeconds ?? this.options.keepAliveSeconds; // [MQTT-3.1.2-21]
    if (keepAliveSeconds === 0) return;
    this.#pings = setInterval(
      () => {
        this.#queue(encodeEmpty(packetType.pingreq));
        this.flush();
      },
      keepAliveSeconds * 1000 * pingPart,
    );
  }

  #frame(event: MessageEvent): void {
    if (typeof event.data === 'string') {
      this.#fail('a text frame came'); // [MQTT-6.0.0-1]
      return;
    }
    this.#arrivedAt = event.timestamp;
    try {
      this.#reader.push(new Uint8Array(event.data));
    } catch (error) {
      this.#fail((error as Error).message);
      return;
    }
    this.flush();
  }

  #packet(header: number, bytes: Uint8Array, start: number, end: number): void {
    const { version } = this.options;
    switch (header >> 4) {
      case packetType.publish:
        this.#message(header, bytes, start, end);
        break;
      case packetType.puback:
      case packetType.pubcomp:
      case packetType.pubrec:
        this.#acknowledged(header >> 4, bytes, start, end);
        break;
      case packetType.pubrel: {
        const { packetId } = readAcknowledgement(bytes, start, end);
        this.#session.delete(packetId);
        this.#queue(encodeAcknowledgement(packetType.pubcomp, packetId));
        break;
      }
      case packetType.connack: {
        const connack = readConnack(bytes, start, end, version);
        if (connack.reasonCode === 0 && this.#state === 'connecting') this.#accept(connack);
        this.#answered('connack', connack);
        break;
      }
      case packetType.suback: {
        const suback = readSuback(bytes, start, end, version);
        this.#answered(`suback ${suback.packetId}`, suback);
        break;
      }
      case packetType.pingresp:
        this.#answered('pingresp', null);
        break;
      case packetType.disconnect:
        this.#why ||= `DISCONNECT with reason code ${readDisconnect(bytes, start, end)}`;
        break;
      default:
        this.#fail(`a packet of type ${header >> 4} came`);
    }
  }

  #message(header: number, bytes: Uint8Array, start: number, end: number): void {
    const { qos, packetId, payloadStart, payloadEnd } = readPublish(header, bytes, start, end, this.options.version);
    if (qos === 2) {
      this.#queue(encodeAcknowledgement(packetType.pubrec, packetId));
      if (this.#session.has(packetId)) return; // [MQTT-4.3.3-10]
      this.#session.add(packetId);
    }
    if (qos === 1) this.#queue(encodeAcknowledgement(packetType.puback, packetId));
    this.#events.message(bytes, payloadStart, payloadEnd, this.#arrivedAt);
  }

  #acknowledged(type: number, bytes: Uint8Array, start: number, end: number): void {
    const { packetId, reasonCode } = readAcknowledgement(bytes, start, end);
    const isRefused = reasonCode >= refusalFirst;
    if (type === packetType.pubrec && !isRefused) {
      this.#queue(encodeAcknowledgement(packetType.pubrel, packetId));
      return;
    }
    const sentAt = this.#inflight.get(packetId);
    if (sentAt === undefined) {
      this.#fail(`packet identifier ${packetId} was acknowledged, which is not in use`);
      return;
    }
    this.#inflight.delete(packetId);
    this.acknowledged++;
    if (isRefused) this.#events.refused(reasonCode);
    else this.#events.acknowledged(Math.max(0, this.#arrivedAt - sentAt));
    this.onAcknowledged?.();
  }

  #queue(packet: Uint8Array): void {
    this.#out.push(packet);
    this.#outBytes += packet.length;
  }

  #nextPacketId(): number {
    do this.#lastPacketId = (this.#lastPacketId % packetIdMax) + 1;
    while (this.#inflight.has(this.#lastPacketId));
    return this.#lastPacketId;
  }

  /** Waits for the answer under this name; rejects when it does not come in time, or the connection ends. */
  async #answer(name: string, what: string): Promise<unknown> {
    if (this.#state === 'closed') throw new MqttError(this.#explain(`no ${what}`));
    let timer = 0;
    try {
      return await new Promise((resolve, reject) => {
        this.#waiters.set(name, { resolve, reject });
        timer = setTimeout(() => {
          reject(new MqttError(this.#explain(`no ${what} within ${this.options.timeoutSeconds} s`)));
          if (this.#state === 'connecting') void this.drop();
        }, this.options.timeoutSeconds * 1000);
      });
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(name);
    }
  }

  #answered(name: string, answer: Connack | Acknowledged | null): void {
    // A PINGRESP that nobody waits for answers the keep alive.
    this.#waiters.get(name)?.resolve(answer);
  }

  #explain(what: string): string {
    const why = this.#why === '' ? '' : `: ${this.#why}`;
    return `${what} from ${this.options.url} for ${this.options.clientId}${why}`;
  }

  /** The server does what it may not. */
  #fail(why: string): void {
    this.#why ||= why;
    if (this.#socket.readyState === 1) this.#socket.close();
  }

  #ended(event: CloseEvent): void {
    const before = this.#state;
    this.#state = 'closed';
    if (this.#pings !== null) clearInterval(this.#pings);
    this.#why ||=
      event.code === undefined ? 'the connection ended' : `closed with ${event.code} ${event.reason}`.trim();
    for (const waiter of this.#waiters.values()) waiter.reject(new MqttError(this.#explain('the connection ended')));
    if (before === 'open') this.#events.lost(this.#explain('the connection ended'));
    this.#markClosed();
  }
}
