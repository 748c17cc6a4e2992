import {
  type ConnectPacket,
  Decoder,
  decodePacket,
  encodePacket,
  type Packet,
  type Properties,
  type ProtocolVersion,
  type PublishPacket,
  type SubscriptionRequest,
} from '@dunlin/protocol';
import { ackPacket, connectPacket, type PacketOf, publishPacket, subscribePacket } from '@dunlin/testkit';
import type { Connection } from '../../src/connection/connection.ts';
import type { ClientCertificate, Transport } from '../../src/ports/transport.ts';

/** A socket's other end: keeps what the broker writes. */
export class FakeTransport implements Transport {
  remoteAddress = '192.0.2.1:1883';
  readonly listener = 'test';
  clientCertificate: ClientCertificate | null = null;
  pendingBytes = 0;
  takenBytes = 0;
  paused = false;
  ended = false;
  /** False: the kernel takes nothing, as for a client that does not read. */
  reads = true;
  chunks: Buffer[] = [];

  write(bytes: Buffer): boolean {
    this.chunks.push(Buffer.from(bytes)); // the broker uses its buffer again
    if (this.reads) return true;
    this.pendingBytes += bytes.length;
    return false;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  end(): void {
    this.ended = true;
  }
  destroy(): void {
    this.ended = true;
  }
}

export type { PacketOf } from '@dunlin/testkit';

export interface ConnectOptions {
  version?: ProtocolVersion;
  cleanStart?: boolean;
  keepAliveSeconds?: number;
  /** MQTT 5 Session Expiry Interval. */
  expiry?: number;
  properties?: Properties;
  will?: ConnectPacket['will'];
  userName?: string;
  password?: Buffer;
}

/** Connection of a client, in words of packets. */
export class Client {
  readonly connection: Connection;
  readonly transport: FakeTransport;
  readonly version: ProtocolVersion;
  private readonly settle: () => Promise<void>;
  private readonly decoder: Decoder;
  private arrived: Packet[] = [];

  constructor(accept: (transport: FakeTransport) => Connection, version: ProtocolVersion, settle: () => Promise<void>) {
    this.version = version;
    this.settle = settle;
    this.transport = new FakeTransport();
    this.connection = accept(this.transport);
    this.decoder = new Decoder(
      {
        packet: (header, bytes, _start, bodyStart, end) => {
          this.arrived.push(decodePacket(header, Buffer.from(bytes), bodyStart, end, version));
          return true;
        },
      },
      256 * 1024 * 1024,
    );
    this.decoder.version = version;
  }

  /** Gives the client a certificate of TLS. */
  certify(certificate: Pick<ClientCertificate, 'expiresAt' | 'revocationName'>): void {
    this.transport.clientCertificate = { commonName: '', subjectAltNames: [], fingerprint: '', ...certificate };
  }

  /** Puts packets on the wire in one chunk, without waiting for what comes of it. */
  put(...packets: Packet[]): void {
    this.connection.receive(Buffer.concat(packets.map((packet) => encodePacket(packet, this.version))));
  }

  /** Sends packets in one chunk and waits until everybody is at rest. */
  async send(...packets: Packet[]): Promise<void> {
    this.put(...packets);
    await this.settle();
  }

  /** Sends bytes as they are, in one chunk, and waits until everybody is at rest. */
  async sendBytes(bytes: Buffer): Promise<void> {
    this.connection.receive(bytes);
    await this.settle();
  }

  /** Packets that have come since the last look. */
  received(): Packet[] {
    for (const chunk of this.transport.chunks.splice(0)) this.decoder.push(chunk);
    return this.arrived.splice(0);
  }

  /** Returns what has come, which must be one packet of this type. */
  one<T extends Packet['type']>(type: T): PacketOf<T> {
    const packets = this.received();
    if (packets.length !== 1 || packets[0].type !== type) {
      throw new Error(`expected one ${type}, got ${packets.map(describe).join(', ') || 'nothing'}`);
    }
    return packets[0] as PacketOf<T>;
  }

  /** Packets that have come, in short: `publish a/b 1 #3`. */
  said(): string[] {
    return this.received().map(describe);
  }

  get isClosed(): boolean {
    return this.transport.ended;
  }

  /** The connection breaks without DISCONNECT. */
  async drop(): Promise<void> {
    this.transport.ended = true;
    this.connection.closed();
    await this.settle();
  }

  async subscribe(
    filter: string,
    qos: 0 | 1 | 2,
    options: Partial<SubscriptionRequest> = {},
    subscriptionIdentifier = 0,
  ): Promise<number[]> {
    await this.send(subscribe(filter, qos, options, subscriptionIdentifier));
    const packets = this.received();
    const suback = packets.find((packet) => packet.type === 'suback');
    this.arrived = packets.filter((packet) => packet !== suback);
    return suback?.reasonCodes ?? [];
  }
}

export function subscribe(
  filter: string,
  qos: 0 | 1 | 2,
  options: Partial<SubscriptionRequest> = {},
  subscriptionIdentifier = 0,
): Packet {
  return subscribePacket({ filter, qos, ...options }, 10, subscriptionIdentifier);
}

export function connect(clientId: string, options: ConnectOptions = {}): Packet {
  const properties = { ...options.properties };
  if (options.expiry !== undefined) properties.sessionExpiryInterval = options.expiry;
  const { expiry, ...rest } = options;
  return connectPacket({ clientId, ...rest, properties });
}

/** A PUBLISH; `packetId` 0 for QoS 0. */
export function publish(
  topic: string,
  payload: string,
  qos: 0 | 1 | 2 = 0,
  packetId = 0,
  more: Partial<PublishPacket> = {},
): Packet {
  return publishPacket({ topic, payload, qos, packetId, ...more });
}

export function ack(type: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp', packetId: number, reasonCode = 0): Packet {
  return ackPacket(type, packetId, reasonCode);
}

/** A packet in a few words, for comparing conversations. */
export function describe(packet: Packet): string {
  switch (packet.type) {
    case 'publish': {
      const flags = (packet.dup ? ' dup' : '') + (packet.retain ? ' retain' : '');
      const id = packet.qos > 0 ? ` #${packet.packetId}` : '';
      return `publish ${packet.topic} ${packet.payload} q${packet.qos}${id}${flags}`;
    }
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return `${packet.type} #${packet.packetId}${packet.reasonCode === 0 ? '' : ` ${hex(packet.reasonCode)}`}`;
    case 'connack':
      return `connack ${hex(packet.reasonCode)}${packet.sessionPresent ? ' present' : ''}`;
    case 'disconnect':
      return `disconnect ${hex(packet.reasonCode)}`;
    case 'suback':
    case 'unsuback':
      return `${packet.type} ${packet.reasonCodes.map(hex).join(' ')}`;
    default:
      return packet.type;
  }
}

function hex(code: number): string {
  return `0x${code.toString(16).padStart(2, '0')}`;
}
