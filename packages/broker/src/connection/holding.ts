/**
 * Packets that arrive while an earlier one waits (resends after CONNECT, SUBSCRIBE, an answer of an authorizer). They
 * are held, and take effect in their order when that is done.
 */
import { PacketType } from '@dunlin/protocol';
import { ConnectionState } from '../output/connection-state.ts';
import type { CloseReason } from '../ports/close-reason.ts';
import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { TurnClock } from '../work/turn-clock.ts';
import { type HeldPacket, HeldPackets } from './held-packets.ts';
import type { Reading } from './reading.ts';

export interface HoldingParts {
  logger: Logger;
  metrics: Metrics;
  turn: TurnClock;
  publishBatch: { flush(): void };
}

export interface HoldingOwner {
  /** ConnectionState. */
  readonly state: number;
  readonly session: { readonly isStored: boolean } | null;
  /** Rates that held packets are charged to; null: none. */
  readonly rates: { received(messages: number, bytes: number): void } | null;
  /** True while a packet of the client waits for its answer. */
  readonly owesAnswers: boolean;
  /** Handles a packet. False: no packet of this client is handled any more. */
  packet(header: number, bytes: Buffer, start: number, bodyStart: number, end: number): boolean;
  /** An error while packets were handled. */
  failed(error: unknown): void;
  /** All held packets have taken effect. */
  heldThrough(): void;
}

/**
 * Packets that the store refuses for a session of another owner: subscriptions, and QoS 2, whose identifiers it keeps.
 * They are not answered, and the client repeats them.
 */
function changesStoredSession(header: number): boolean {
  const type = header >> 4;
  if (type === PacketType.publish) return (header & 0x06) === 4;
  return type === PacketType.subscribe || type === PacketType.unsubscribe;
}

export class Holding {
  private readonly parts: HoldingParts;
  private readonly reading: Reading;
  private readonly owner: HoldingOwner;
  /** The client is connected, but its packets are held. */
  isOn = false;
  /** Null: there never were any. */
  private packets: HeldPackets | null = null;
  /** Held packets have begun to take effect: from then on only packets are held. */
  private hasBegun = false;
  /** A PUBLISH waits for an answer. */
  private isAsking = false;
  /** The store has another owner for the session: packets that would change it there have no effect any more. */
  claimMoved = false;
  /** Number of packets that were skipped for that reason. */
  private passedOver = 0;
  /** Called when nothing waits any more, or the connection has ended. */
  private settledWaiters: (() => void)[] | null = null;

  constructor(parts: HoldingParts, reading: Reading, owner: HoldingOwner) {
    this.parts = parts;
    this.reading = reading;
    this.owner = owner;
  }

  get bytes(): number {
    return this.packets === null ? 0 : this.packets.bytes;
  }

  /** True if something is held, or was before. */
  get hasHeld(): boolean {
    return this.packets !== null;
  }

  add(bytes: Buffer, start: number, end: number): void {
    this.packets ??= new HeldPackets();
    this.packets.add(bytes, start, end);
    this.reading.held(this.packets.bytes);
  }

  /** Handles the held packets, up to one that waits in its turn. */
  goOn(): void {
    if (this.owner.state !== ConnectionState.connected) return;
    this.isOn = false;
    this.hasBegun = true;
    if (this.packets === null || this.packets.length === 0 || this.replay(this.packets)) {
      this.owner.heldThrough();
      this.wakeSettled();
    } else if (this.isOn) this.reading.resumeIfRoom(); // new packets may join the waiting ones
  }

  /**
   * The client has connected anew: nothing more is read, and packets that were read take effect before the session is
   * handed over. Resolves when they have, or the connection has ended; null: there are none. `claimMoved`: the store
   * knows the new owner already.
   */
  settle(claimMoved: boolean): Promise<void> | null {
    this.claimMoved ||= claimMoved;
    if (!this.isOn || !(this.hasBegun || (this.packets !== null && this.packets.length > 0))) return null;
    this.reading.stop();
    this.settledWaiters ??= [];
    const waiters = this.settledWaiters;
    return new Promise((resolve) => waiters.push(resolve));
  }

  /** Called when a waiting packet may be done, and when the connection has ended. */
  wakeSettled(): void {
    const waiters = this.settledWaiters;
    if (waiters === null || (this.owner.state !== ConnectionState.closed && this.owner.owesAnswers)) return;
    this.settledWaiters = null;
    for (const wake of waiters) wake();
  }

  /** False: another packet waits, or the connection has ended. */
  private replay(held: HeldPackets): boolean {
    const { turn, publishBatch, metrics } = this.parts;
    turn.renew();
    const publishes = metrics.publishesReceived;
    try {
      for (let packet = held.shift(); packet !== undefined; packet = held.shift()) {
        if (this.claimMoved && this.owner.session?.isStored === true && changesStoredSession(packet.header)) {
          this.passedOver++;
          continue;
        }
        const goesOn = this.owner.packet(packet.header, packet.bytes, 0, packet.bodyStart, packet.bytes.length);
        publishBatch.flush();
        if (!goesOn || this.isOn) return false;
      }
      return true;
    } catch (error) {
      this.owner.failed(error);
      return false;
    } finally {
      // Their bytes were charged when they came.
      this.owner.rates?.received(metrics.publishesReceived - publishes, 0);
    }
  }

  /** The next held packet, if it is of this type: such packets may be handled together. `take` removes it. */
  next(type: number): HeldPacket | null {
    const next = this.packets?.first;
    return next !== undefined && next.header >> 4 === type ? next : null;
  }

  take(): void {
    const taken = this.packets?.shift();
    if (taken !== undefined) this.parts.metrics.packetsReceived[taken.header >> 4]++;
  }

  /** No later packet of the client takes effect before this promise resolves; it does not reject. */
  until(done: Promise<void>): void {
    this.isOn = true;
    void done.then(() => this.goOn());
  }

  /** Waits for an answer before any later packet of the client is handled; a rejection counts as no. */
  untilAnswered(answer: Promise<boolean>, then: (allowed: boolean) => void): void {
    this.isOn = true;
    this.isAsking = true;
    const answered = (allowed: boolean): void => {
      if (this.owner.state !== ConnectionState.connected) return;
      this.isAsking = false;
      try {
        then(allowed);
      } catch (error) {
        this.owner.failed(error);
        return;
      }
      this.goOn();
    };
    answer.then(answered, () => answered(false));
  }

  /** The connection has ended: number of packets that were read and never took effect. */
  giveUp(client: string, address: string, reason: CloseReason): void {
    const held = this.packets;
    this.packets = null;
    const packets = (held?.length ?? 0) + this.passedOver + (this.isAsking ? 1 : 0);
    if (packets === 0) return;
    this.parts.metrics.packetsGivenUp += packets;
    this.parts.logger.warn(events['packets.dropped'], {
      ...{ client, address, reason },
      ...{ packets, bytes: held?.bytes ?? 0 },
    });
  }
}
