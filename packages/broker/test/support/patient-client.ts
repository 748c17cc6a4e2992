import type { Packet } from '@dunlin/protocol';
import { ack, type Client, connect, type PacketOf, publish, subscribe } from './client.ts';
import type { Worker } from './world.ts';

/** A message as its receiver got it. */
export interface Got {
  topic: string;
  payload: string;
  qos: 0 | 1 | 2;
}

/**
 * A client that keeps every rule of its side: it acknowledges all it gets, goes through QoS 2 handshakes and takes a QoS 2 message that comes again for
 * what it is. A durable one may move to another worker.
 */
export class PatientClient {
  readonly name: string;
  readonly isDurable: boolean;
  readonly got: Got[] = [];
  /** Filters that a SUBACK has come for. */
  readonly subscribed: string[] = [];
  /** Payloads of publishes that were acknowledged: PUBACK, or PUBCOMP. */
  readonly acknowledged = new Set<string>();
  /** Payloads of messages that it has acknowledged: PUBACK, or PUBREC. */
  readonly answered = new Set<string>();
  /** True while it leaves a message unanswered. */
  leaves: () => boolean = () => false;
  private left: Packet[] = [];
  isConnected = false;
  /** Its worker has died, and nothing of it lives on. */
  isLost = false;
  worker: Worker | null = null;
  private socket: Client | null = null;
  private readonly wanted: string[] = [];
  private readonly unreleased = new Set<number>();
  private readonly open = new Map<number, string>();
  private lastPacketId = 0;
  private readonly gathered: Packet[] = [];

  constructor(name: string, isDurable: boolean) {
    this.name = name;
    this.isDurable = isDurable;
  }

  get isClosed(): boolean {
    return this.socket?.isClosed ?? false;
  }

  get openPublishes(): number {
    return this.open.size;
  }

  get openSubscriptions(): number {
    return this.wanted.length;
  }

  /** Connects, here or elsewhere; the connection before breaks. */
  connect(worker: Worker): void {
    this.isConnected = false;
    this.worker = worker;
    this.left = [];
    if (this.socket !== null) this.socket.connection.closed();
    this.socket = worker.socket();
    this.socket.put(connect(this.name, this.isDurable ? { cleanStart: false, expiry: 10_000 } : {}));
  }

  /** The connection breaks without a word. */
  breakOff(): void {
    this.isConnected = false;
    this.socket?.connection.closed();
  }

  subscribe(filter: string, qos: 0 | 1 | 2): void {
    this.wanted.push(filter);
    this.socket?.put(subscribe(filter, qos, { retainHandling: 2 }));
  }

  publish(topic: string, payload: string, qos: 0 | 1 | 2): void {
    this.gather(topic, payload, qos);
    this.sendGathered();
  }

  /** The same, but for `sendGathered`, which puts all of them on the wire in one chunk. */
  gather(topic: string, payload: string, qos: 0 | 1 | 2): void {
    if (qos > 0) this.open.set(++this.lastPacketId, payload);
    this.gathered.push(publish(topic, payload, qos, qos === 0 ? 0 : this.lastPacketId));
  }

  sendGathered(): void {
    const packets = this.gathered.splice(0);
    if (packets.length > 0) this.socket?.put(...packets);
  }

  /** Answers what it has left unanswered on this connection, and leaves nothing any more. */
  answerAll(): void {
    this.leaves = () => false;
    for (const packet of this.left.splice(0)) if (packet.type === 'publish') this.answerPublish(packet);
  }

  /** Answers what has come. Returns whether anything had. */
  work(): boolean {
    const packets = this.socket?.received() ?? [];
    for (const packet of packets) this.handle(packet);
    return packets.length > 0;
  }

  private answerPublish({ qos, packetId, payload }: PacketOf<'publish'>): void {
    if (qos === 0) return;
    this.answered.add(payload.toString());
    this.socket?.put(ack(qos === 1 ? 'puback' : 'pubrec', packetId));
  }

  private handle(packet: Packet): void {
    const answer = (type: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp', packetId: number): void =>
      this.socket?.put(ack(type, packetId));
    switch (packet.type) {
      case 'connack':
        this.isConnected = packet.reasonCode === 0;
        break;
      case 'suback':
        this.subscribed.push(this.wanted.shift() ?? '');
        break;
      case 'publish':
        if (packet.qos < 2 || !this.unreleased.has(packet.packetId))
          this.got.push({ topic: packet.topic, payload: packet.payload.toString(), qos: packet.qos });
        if (packet.qos === 2) this.unreleased.add(packet.packetId);
        if (this.leaves()) this.left.push(packet);
        else this.answerPublish(packet);
        break;
      case 'pubrel':
        this.unreleased.delete(packet.packetId);
        answer('pubcomp', packet.packetId);
        break;
      case 'pubrec':
        answer('pubrel', packet.packetId);
        break;
      case 'puback':
      case 'pubcomp':
        this.acknowledged.add(this.open.get(packet.packetId) ?? '');
        this.open.delete(packet.packetId);
        break;
    }
  }
}
