import type { Backplane, BackplaneReceiver } from '../../src/ports/backplane.ts';
import type { EndpointId } from '../../src/ports/endpoint-id.ts';
import type { FakeClock } from './fake-clock.ts';
import { Random } from './random.ts';

interface Event {
  to: LossyBackplane;
  deliver: (receiver: BackplaneReceiver) => void;
  /** Time before which it does not come. */
  at: number;
}

/** Late frames are looked for this often. */
const stepMilliseconds = 50;

/**
 * Endpoints within one process whose frames may be lost or late, never overtake each other, and never come twice: what NATS core does. Who joins and
 * leaves is always told.
 */
export class LossyHub {
  readonly clock: FakeClock;
  readonly random: Random;
  readonly members = new Map<EndpointId, LossyBackplane>();
  /** Probability of each frame to be dropped. */
  dropProbability = 0;
  /** Each frame is late by up to this. */
  delayMillisecondsMax = 0;
  /** Says which frames are lost whatever chance says. */
  loses: (from: EndpointId, to: EndpointId, bytes: Uint8Array) => boolean = () => false;
  lost = 0;
  private readonly cuts = new Set<string>();
  /** Frames on their way from one to another, in order. */
  private readonly ways = new Map<string, Event[]>();
  private scheduled = false;

  constructor(clock: FakeClock, seed: number) {
    this.clock = clock;
    this.random = new Random(seed);
    clock.every(stepMilliseconds, () => this.deliver());
  }

  endpoint(self: EndpointId): LossyBackplane {
    return new LossyBackplane(this, self);
  }

  /** Cuts the way between the two, in both directions. */
  cut(one: EndpointId, other: EndpointId): void {
    this.cuts.add(`${one}>${other}`).add(`${other}>${one}`);
  }

  /** Everything gets through from now on. What was lost stays lost. */
  heal(): void {
    this.cuts.clear();
    this.dropProbability = 0;
    this.delayMillisecondsMax = 0;
  }

  carry(from: EndpointId, to: LossyBackplane, bytes: Uint8Array): void {
    const isCut = this.cuts.has(`${from}>${to.self}`);
    if (isCut || this.random.chance(this.dropProbability) || this.loses(from, to.self, bytes)) {
      this.lost++;
      return;
    }
    const copy = new Uint8Array(bytes);
    this.tell(from, to, (receiver) => receiver.received(from, copy), this.random.below(this.delayMillisecondsMax + 1));
  }

  tell(from: EndpointId, to: LossyBackplane, deliver: Event['deliver'], late: number): void {
    const way = this.ways.get(`${from}>${to.self}`) ?? [];
    this.ways.set(`${from}>${to.self}`, way);
    const before = way.at(-1)?.at ?? 0;
    way.push({ to, deliver, at: Math.max(before, this.clock.now() + late) });
    this.schedule();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.clock.nextTurn(() => {
      this.scheduled = false;
      this.deliver();
    });
  }

  private deliver(): void {
    const now = this.clock.now();
    for (const way of this.ways.values()) {
      const due = way.findIndex((event) => event.at > now);
      for (const event of way.splice(0, due < 0 ? way.length : due)) {
        if (event.to.receiver !== null) event.deliver(event.to.receiver);
      }
    }
  }
}

export class LossyBackplane implements Backplane {
  readonly self: EndpointId;
  receiver: BackplaneReceiver | null = null;
  private readonly hub: LossyHub;

  constructor(hub: LossyHub, self: EndpointId) {
    this.hub = hub;
    this.self = self;
  }

  async start(receiver: BackplaneReceiver): Promise<void> {
    this.receiver = receiver;
    for (const other of this.hub.members.values()) {
      this.hub.tell(this.self, other, (theirs) => theirs.endpointJoined(this.self), 0);
      receiver.endpointJoined(other.self);
    }
    this.hub.members.set(this.self, this);
  }

  async stop(): Promise<void> {
    this.kill();
  }

  kill(): void {
    this.receiver = null;
    if (!this.hub.members.delete(this.self)) return;
    for (const other of this.hub.members.values())
      this.hub.tell(this.self, other, (theirs) => theirs.endpointLeft(this.self), 0);
  }

  send(to: EndpointId, bytes: Uint8Array): void {
    const other = this.receiver === null ? undefined : this.hub.members.get(to);
    if (other !== undefined) this.hub.carry(this.self, other, bytes);
  }

  broadcast(bytes: Uint8Array): void {
    if (this.receiver === null) return;
    for (const other of this.hub.members.values()) if (other !== this) this.hub.carry(this.self, other, bytes);
  }
}

/** The type of a frame, from its bytes (cluster/frames.ts). */
export function frameType(bytes: Uint8Array): number {
  return bytes[1];
}
