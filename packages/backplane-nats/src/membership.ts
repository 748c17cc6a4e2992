import type { EndpointId, Leases, Logger } from '@dunlin/broker';
import { goneMax, ignoredMax } from './bounds.ts';
import { type Incarnation, parseIncarnation } from './incarnation.ts';
import { events } from './log-events.ts';
import { type PieceBudget, PieceJoiner } from './pieces.ts';
import type { Sequences } from './sequences.ts';
import type { Timings } from './timings.ts';

/** Another endpoint that is reported to the receiver. */
export class Member {
  readonly endpoint: EndpointId;
  readonly place: string;
  readonly incarnation: number;
  /** Subject of messages for it. */
  readonly subject: string;
  readonly joiner: PieceJoiner;
  /** Sequences of its signed messages; null: it does not sign, or they are not checked here. */
  sequences: Sequences | null = null;
  /** The highest connection number of its frames. */
  connection = 0;
  /** Release that its heartbeats name; null: none was heard yet. */
  release: string | null = null;
  /** Time in which nothing was heard of it, while it could have been. */
  silentMilliseconds = 0;
  /** Time at which the store was last asked whether it is dead; 0: not since it was heard. */
  askedAt = 0;
  asking = false;
  /** True when the last question had no answer. */
  isUnknown = false;
  /** True while the eviction of a replaced incarnation is under way: nothing of it is heard any more. */
  isLeaving = false;

  constructor(endpoint: EndpointId, { place, number }: Incarnation, subject: string, budget: PieceBudget) {
    this.endpoint = endpoint;
    this.place = place;
    this.incarnation = number;
    this.subject = subject;
    this.joiner = new PieceJoiner(budget);
  }
}

export interface MembershipEvents {
  joined(member: Member): void;
  left(member: Member): void;
  /** This endpoint found another dead: the others are to be told. */
  died(endpoint: EndpointId): void;
  /** Something was heard of an endpoint that is dead: it is to be told. */
  heardDead(endpoint: EndpointId): void;
  /** This endpoint was replaced by `by`, a newer incarnation of itself. */
  replaced(by: EndpointId): void;
}

export interface MembershipOptions {
  self: EndpointId;
  leases: Leases | null;
  timings: Readonly<Timings>;
  logger: Logger;
  ignores: (endpoint: EndpointId) => boolean;
  subjectOf: (endpoint: EndpointId) => string;
  budget: PieceBudget;
  now: () => number;
}

/** The highest incarnation of a place that has left, and the time at which it was last told that it is dead. */
interface Gone {
  incarnation: number;
  toldAt: number;
}

/**
 * Endpoints of the cluster. Silence makes an endpoint suspected; the store makes it dead:
 *
 *     unknown ──heard──▶ member ──silent──▶ suspected ──evict: true──▶ left, never again under this name
 *                          ▲                  │    │
 *                          └──────heard───────┘    └── silent for long and the store cannot be asked ──▶ left
 *
 * A `bye` of its own, or a newer incarnation of the same place, ends a member at once.
 */
export class Membership {
  readonly #options: MembershipOptions;
  readonly #events: MembershipEvents;
  readonly #own: Incarnation;
  readonly #members = new Map<EndpointId, Member>();
  readonly #places = new Map<string, Member>();
  readonly #gone = new Map<string, Gone>();
  readonly #ignored = new Set<EndpointId>();

  constructor(own: Incarnation, options: MembershipOptions, events: MembershipEvents) {
    this.#own = own;
    this.#options = options;
    this.#events = events;
  }

  get size(): number {
    return this.#members.size;
  }

  /** The endpoint, if it is a member that can receive messages. */
  get(endpoint: EndpointId): Member | null {
    const member = this.#members.get(endpoint);
    return member === undefined || member.isLeaving ? null : member;
  }

  /** Notes that a message came from an endpoint, which shows that it lives. Null: its messages are not to be used. */
  heard(from: EndpointId): Member | null {
    const member = this.#members.get(from);
    if (member === undefined) return this.#ignored.has(from) ? null : this.#meet(from);
    if (member.isLeaving) {
      this.#answerDead(member.place, from);
      return null;
    }
    member.silentMilliseconds = 0;
    return member;
  }

  /** Handles a bye: `about` stops, or was found dead by another endpoint. */
  bye(from: EndpointId, about: EndpointId): void {
    const member = this.get(about);
    if (from === about) {
      const name = parseIncarnation(about);
      if (name === null || this.#options.ignores(about)) return;
      this.#markGone(name);
      if (member !== null) this.#leave(member);
    } else if (member !== null) {
      this.#ask(member, false);
    }
  }

  /**
   * Lets time pass. `milliseconds`: how much of it others could have been heard in. Called a few times per heartbeat
   * interval.
   */
  pass(milliseconds: number): void {
    const { timings } = this.#options;
    for (const member of [...this.#members.values()]) {
      if (member.isLeaving) {
        if (this.#isOverdue(member)) this.#leave(member);
        continue;
      }
      member.silentMilliseconds += milliseconds;
      if (member.silentMilliseconds < timings.suspectMilliseconds) {
        member.askedAt = 0;
        member.isUnknown = false;
      } else {
        this.#suspect(member);
      }
    }
  }

  /** Starts the silence of all members anew: none could be heard. */
  forgetSilence(): void {
    for (const member of this.#members.values()) {
      member.silentMilliseconds = 0;
      member.joiner.drop();
    }
  }

  #isOverdue(member: Member): boolean {
    return this.#options.now() - member.askedAt >= this.#options.timings.askMilliseconds;
  }

  #suspect(member: Member): void {
    if (this.#options.leases === null) {
      this.#dead(member, 'it is silent');
      return;
    }
    if (member.asking && this.#isOverdue(member)) {
      member.asking = false;
      member.isUnknown = true;
    }
    if (member.isUnknown && member.silentMilliseconds >= this.#options.timings.lostMilliseconds) {
      this.#dead(member, 'it is silent, and the store cannot be asked');
    } else if (!member.asking && (member.askedAt === 0 || this.#isOverdue(member))) {
      this.#ask(member, true);
    }
  }

  /** Asks the store to evict a member. `tell`: the others hear of it from this endpoint. */
  #ask(member: Member, tell: boolean): void {
    const { leases } = this.#options;
    if (leases === null) {
      // The report of another endpoint is the only evidence.
      this.#leaveForGood(member);
      return;
    }
    member.asking = true;
    member.askedAt = this.#options.now();
    leases.evict(member.endpoint, false).then(
      (isDead) => {
        member.asking = false;
        member.isUnknown = false;
        if (!isDead) return;
        if (tell) this.#dead(member, 'it is silent, and its lease is over');
        else this.#leaveForGood(member);
      },
      () => {
        // Counts as no answer: the silence alone decides, after a longer time. The store logs its own failures.
        member.asking = false;
        member.isUnknown = true;
      },
    );
  }

  #dead(member: Member, why: string): void {
    if (this.get(member.endpoint) !== member) return;
    this.#options.logger.warn(events['endpoint.died'], { endpoint: member.endpoint, why });
    this.#leaveForGood(member);
    this.#events.died(member.endpoint);
  }

  #leaveForGood(member: Member): void {
    this.#markGone({ place: member.place, number: member.incarnation });
    this.#leave(member);
  }

  #leave(member: Member): void {
    if (this.#members.get(member.endpoint) !== member) return;
    this.#members.delete(member.endpoint);
    if (this.#places.get(member.place) === member) this.#places.delete(member.place);
    member.joiner.drop();
    this.#events.left(member);
  }

  /** Handles a message of an endpoint that is no member. */
  #meet(from: EndpointId): Member | null {
    const name = parseIncarnation(from);
    if (name === null) return null;
    if (name.place === this.#own.place) {
      this.#meetOwnPlace(from, name);
      return null;
    }
    if (this.#options.ignores(from)) {
      if (this.#ignored.size >= ignoredMax) this.#ignored.clear();
      this.#ignored.add(from);
      return null;
    }
    const other = this.#places.get(name.place);
    if (name.number <= (this.#gone.get(name.place)?.incarnation ?? -1)) {
      this.#answerDead(name.place, from);
      return null;
    }
    if (other !== undefined && other.incarnation > name.number) {
      this.#markGone(name);
      this.#evictAlive(from, () => undefined);
      this.#answerDead(name.place, from);
      return null;
    }
    if (other !== undefined) this.#replace(other, from);
    const member = new Member(from, name, this.#options.subjectOf(from), this.#options.budget);
    this.#members.set(from, member);
    this.#places.set(name.place, member);
    this.#events.joined(member);
    return member;
  }

  #meetOwnPlace(from: EndpointId, name: Incarnation): void {
    if (name.number > this.#own.number) {
      this.#events.replaced(from);
    } else if (name.number < this.#own.number) {
      const isNew = name.number > (this.#gone.get(name.place)?.incarnation ?? -1);
      this.#markGone(name);
      if (isNew) this.#evictAlive(from, () => undefined);
      this.#answerDead(name.place, from);
    }
  }

  /** The place has started again: its older incarnation is dead, whatever its lease. It leaves once the store knows. */
  #replace(old: Member, by: EndpointId): void {
    if (old.isLeaving) return;
    this.#options.logger.warn(events['endpoint.replaced'], {
      endpoint: old.endpoint,
      by,
    });
    this.#markGone({ place: old.place, number: old.incarnation });
    old.isLeaving = true;
    old.askedAt = this.#options.now();
    this.#evictAlive(old.endpoint, () => this.#leave(old));
  }

  #evictAlive(endpoint: EndpointId, done: () => void): void {
    const { leases, logger } = this.#options;
    if (leases === null) {
      done();
      return;
    }
    leases.evict(endpoint, true).then(done, (error: unknown) => {
      logger.warn(events['endpoint.evict-failed'], {
        endpoint,
        error,
      });
      done();
    });
  }

  /** Notes that this incarnation and older ones of its place never come back. */
  #markGone({ place, number }: Incarnation): void {
    const known = this.#gone.get(place);
    if (known !== undefined && known.incarnation >= number) return;
    // The youngest last, so that the oldest is forgotten first.
    this.#gone.delete(place);
    this.#gone.set(place, { incarnation: number, toldAt: Number.NEGATIVE_INFINITY });
    if (this.#gone.size <= goneMax) return;
    for (const oldest of this.#gone.keys()) {
      this.#gone.delete(oldest);
      break;
    }
  }

  /** Tells an endpoint that it is dead, not more often than it could react. */
  #answerDead(place: string, endpoint: EndpointId): void {
    const gone = this.#gone.get(place);
    const now = this.#options.now();
    if (gone !== undefined && now - gone.toldAt < this.#options.timings.askMilliseconds) return;
    if (gone !== undefined) gone.toldAt = now;
    this.#events.heardDead(endpoint);
  }
}
