/**
 * Holding of packets that come while something is waited for: the resends of a CONNECT, a SUBSCRIBE, an answer. It is
 * held, and takes effect in its order when that is through.
 */
import { PacketType } from '@dunlin/protocol';
import { ConnectionState } from '../output/connection-state.ts';
import type { CloseReason } from '../ports/close-reason.ts';
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
  readonly session: { readonly stored: boolean } | null;
  /** Something that came from the client waits for its answer. */
  readonly owesAnswers: boolean;
  /** False: no packet of this client is handled any more. */
  packet(header: number, bytes: Buffer, start: number, bodyStart: number, end: number): boolean;
  /** Called with what was thrown while packets were handled. */
  failed(error: unknown): void;
  /** All that was held has taken effect. */
  heldThrough(): void;
}

/** The store refuses these of a session that is another's: subscriptions, and QoS 2, whose identifiers it keeps. Their sender has no answer, and asks again. */
function changesStoredSession(header: number): boolean {
  const type = header >> 4;
  if (type === PacketType.publish) return (header & 0x06) === 4;
  return type === PacketType.subscribe || type === PacketType.unsubscribe;
}

export class Holding {
  private readonly parts: HoldingParts;
  private readonly reading: Reading;
  private readonly owner: HoldingOwner;
  /** Connected, but what the client sends is held. */
  isOn = false;
  /** Null: there was never any. */
  private packets: HeldPackets | null = null;
  /** True when packets that were read have begun to take effect: what is held for from then on is a packet. */
  private hasBegun = false;
  /** A PUBLISH that waits for an answer. */
  private isAsking = false;
  /** The session is another's in the store: what would change it there cannot take effect any more. */
  claimMoved = false;
  /** Packets that were passed over for that. */
  private passedOver = 0;
  /** Told when nothing waits any more, or the connection has ended. */
  private settledWaiters: (() => void)[] | null = null;

  constructor(parts: HoldingParts, reading: Reading, owner: HoldingOwner) {
    this.parts = parts;
    this.reading = reading;
    this.owner = owner;
  }

  get bytes(): number {
    return this.packets === null ? 0 : this.packets.bytes;
  }

  /** Something was held, now or before. */
  get hasHeld(): boolean {
    return this.packets !== null;
  }

  add(header: number, bytes: Buffer, start: number, bodyStart: number, end: number): void {
    this.packets ??= new HeldPackets();
    this.packets.add(header, bytes, start, bodyStart, end);
    this.reading.held(this.packets.bytes);
  }

  /** Lets held packets take effect, up to one that must be waited for in its turn. */
  goOn(): void {
    if (this.owner.state !== ConnectionState.connected) return;
    this.isOn = false;
    this.hasBegun = true;
    if (this.packets === null || this.packets.length === 0 || this.replay(this.packets)) {
      this.owner.heldThrough();
      this.wakeSettled();
    } else if (this.isOn) this.reading.resumeIfRoom(); // what comes may go with what waits
  }

  /**
   * Its client has connected anew: nothing more is read, and what was read takes effect before the session goes. Resolves when it has, or the connection has ended;
   * null: nothing waits. `claimMoved`: the store knows the new owner already.
   */
  settle(claimMoved: boolean): Promise<void> | null {
    this.claimMoved ||= claimMoved;
    if (!this.isOn || !(this.hasBegun || (this.packets !== null && this.packets.length > 0))) return null;
    this.reading.stop();
    this.settledWaiters ??= [];
    const waiters = this.settledWaiters;
    return new Promise((resolve) => waiters.push(resolve));
  }

  /** Called when something that waited may be through, and when the connection has ended. */
  wakeSettled(): void {
    const waiters = this.settledWaiters;
    if (waiters === null || (this.owner.state !== ConnectionState.closed && this.owner.owesAnswers)) return;
    this.settledWaiters = null;
    for (const wake of waiters) wake();
  }

  /** False: something has to be waited for again, or the connection has ended. */
  private replay(held: HeldPackets): boolean {
    const { turn, publishBatch } = this.parts;
    turn.renew();
    try {
      for (let packet = held.shift(); packet !== undefined; packet = held.shift()) {
        if (this.claimMoved && this.owner.session?.stored === true && changesStoredSession(packet.header)) {
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
    }
  }

  /** The next packet that is held, if it is of this type: such packets may be worked off together. `take` takes it away. */
  next(type: number): HeldPacket | null {
    const next = this.packets?.first;
    return next !== undefined && next.header >> 4 === type ? next : null;
  }

  take(): void {
    const taken = this.packets?.shift();
    if (taken !== undefined) this.parts.metrics.packetsReceived[taken.header >> 4]++;
  }

  /** Holds all later packets until this is through; it does not reject. */
  until(done: Promise<void>): void {
    this.isOn = true;
    void done.then(() => this.goOn());
  }

  /** Waits for an answer before anything that the client sends later is handled; refused means no. */
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

  /** The connection has ended: packets that were read and never took effect, since their turn had not come. */
  giveUp(client: string, address: string, reason: CloseReason): void {
    const held = this.packets;
    this.packets = null;
    const packets = (held?.length ?? 0) + this.passedOver + (this.isAsking ? 1 : 0);
    if (packets === 0) return;
    this.parts.metrics.packetsGivenUp += packets;
    this.parts.logger.warn('packets of a client were given up: its connection ended before their turn came', {
      ...{ client, address, reason },
      ...{ packets, bytes: held?.bytes ?? 0 },
    });
  }
}
