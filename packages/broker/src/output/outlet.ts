/** The sending half of a connection: everything that delivery needs to know of it. */
import { encodeWithin, type Packet, PacketType, type ProtocolVersion, writeAck } from '@dunlin/protocol';
import type { MemoryLevel } from '../guards/memory-level.ts';
import type { RulesVersion } from '../guards/rules-version.ts';
import type { HeldPublisher } from '../message/pending.ts';
import type { OutboundTopicAliases } from '../message/topic-alias.ts';
import type { Clock } from '../ports/clock.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Transport } from '../ports/transport.ts';
import type { StoreTrust } from '../work/store-trust.ts';
import type { TurnClock } from '../work/turn-clock.ts';
import { Acknowledgements, PendingAcknowledgement } from './acknowledgements.ts';
import { OutputBuffer, type OutputFlusher, type OutputOwner } from './output-buffer.ts';

/** The reading half of the connection, as far as its acknowledgements concern it. */
export interface OutletReading extends HeldPublisher {
  /** Called when one more acknowledgement is pending, or several. */
  acknowledgementPending(): void;
  acknowledgementsSent(): void;
}

export interface OutletOwner extends OutputOwner {
  readonly reading: OutletReading;
  /** Another endpoint owns the session now: nothing may be written back. */
  fenced(): void;
  disconnect(reasonCode: number): void;
}

export interface OutletParts {
  /** PUBREC with an error code was sent: the packet identifier is free again [MQTT-4.3.3-4]. */
  inboundRefused(outlet: Outlet, packetId: number): void;
  flusher: OutputFlusher;
  memory: MemoryLevel;
  rules: RulesVersion;
  /** The session was not compared with new rules yet, and is to be sent something. */
  compareWithRules(outlet: Outlet): void;
  metrics: Metrics;
  clock: Clock;
  turn: TurnClock;
  trust: StoreTrust;
}

export class Outlet {
  readonly parts: OutletParts;
  readonly owner: OutletOwner;
  readonly output: OutputBuffer;
  version: ProtocolVersion = 4;
  version5 = false;
  /** The client takes reason strings in packets other than CONNACK and DISCONNECT. */
  mayTellReasons = false;
  /** Packets for this client differ from those for others: topic aliases, or a maximum packet size. */
  isIndividual = false;
  clientMaximumPacketSize = Number.POSITIVE_INFINITY;
  outboundAliases: OutboundTopicAliases | null = null;
  /** Client identifier of the session; empty before there is one. */
  clientId = '';
  acknowledgements: Acknowledgements | null = null;
  private roomWaiters: (() => void)[] | null = null;

  constructor(parts: OutletParts, owner: OutletOwner, transport: Transport) {
    this.parts = parts;
    this.owner = owner;
    this.output = new OutputBuffer(parts.flusher, transport, owner);
  }

  /**
   * Adds a PUBACK (type 4) or PUBREC (type 5) behind the pending ones. It is sent when all that it waits for is done,
   * after `allAdded`.
   */
  awaitAcknowledgement(type: 4 | 5, packetId: number): PendingAcknowledgement {
    return this.addPending(new PendingAcknowledgement(this, type, packetId));
  }

  /** Adds the PUBACKs of a batch of packets, encoded, as one pending acknowledgement. */
  awaitPubacks(block: Buffer, count: number): PendingAcknowledgement {
    const pending = new PendingAcknowledgement(this, 4, 0);
    pending.block = block;
    pending.count = count;
    return this.addPending(pending);
  }

  private addPending(pending: PendingAcknowledgement): PendingAcknowledgement {
    this.acknowledgements ??= new Acknowledgements(this);
    this.acknowledgements.add(pending);
    return pending;
  }

  /** Sends an acknowledgement: the 4-byte success form, or the longer one of MQTT 5 with a reason code. */
  sendAcknowledgement(type: 4 | 5 | 6 | 7, packetId: number, reasonCode: number): void {
    if (this.output.isClosed) return;
    this.parts.metrics.packetsSent[type]++;
    if (reasonCode === 0 || !this.version5) {
      const at = this.output.reserve(4);
      writeAck(this.output.buffer, at, type, packetId);
      return;
    }
    const at = this.output.reserve(5);
    const out = this.output.buffer;
    out[at] = (type << 4) | (type === 6 ? 2 : 0);
    out[at + 1] = 3;
    out[at + 2] = packetId >> 8;
    out[at + 3] = packetId & 0xff;
    out[at + 4] = reasonCode;
  }

  /** Sends an acknowledgement with a reason code that is an error, and with its reason string. */
  refuse({ type, packetId, reasonCode, reasonString }: PendingAcknowledgement): void {
    if (this.mayTellReasons) {
      const name = type === PacketType.puback ? 'puback' : 'pubrec';
      this.send({ type: name, packetId, reasonCode, properties: { reasonString } });
    } else this.sendAcknowledgement(type, packetId, reasonCode);
    if (type === PacketType.pubrec) this.parts.inboundRefused(this, packetId);
  }

  /** Sends several acknowledgements, encoded. */
  sendPubacks(block: Buffer): void {
    if (!this.output.isClosed) this.output.put(block);
  }

  /**
   * Sends a packet. False: it exceeds the client's maximum packet size, even without its reason string and user
   * properties, and was not sent [MQTT-3.1.2-24].
   */
  send(packet: Packet): boolean {
    if (this.output.isClosed) return true;
    const bytes = encodeWithin(packet, this.version, this.clientMaximumPacketSize);
    if (bytes === null) return false;
    if (bytes.length > 0) {
      this.parts.metrics.packetsSent[PacketType[packet.type]]++;
      this.output.put(bytes);
    }
    return true;
  }

  roomCame(): void {
    if (this.roomWaiters !== null) this.wakeRoom();
  }

  /**
   * Resolves at the next acknowledgement, write, drained socket, or end of the connection: the caller checks again
   * whether there is room.
   */
  nextRoom(): Promise<void> {
    return new Promise((resolve) => {
      this.output.awaitedBy = this;
      this.roomWaiters ??= [];
      this.roomWaiters.push(resolve);
    });
  }

  /** The socket has taken all bytes. */
  drained(): void {
    this.output.drained();
    this.wakeRoom();
  }

  wakeRoom(): void {
    const waiters = this.roomWaiters;
    this.roomWaiters = null;
    this.output.awaitedBy = null;
    if (waiters !== null) for (const wake of waiters) wake();
  }
}
