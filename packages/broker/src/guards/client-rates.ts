/**
 * Rates of clients and users: messages and bytes a second, in both directions, and SUBSCRIBE packets.
 *
 * What has come or gone is charged afterwards, a chunk at a time: a client may be one chunk ahead (64 KiB over TCP), and
 * is then not read, or not sent to, until it has tokens again. Nothing is lost by that but QoS 0 messages on their way
 * out. A user's clients share the buckets of the user, over all workers of the node; clients without a user name have
 * their own alone.
 */
import type { Limits } from '../ports/limits.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { TurnClock } from '../work/turn-clock.ts';
import type { RestingClient, RestingClients } from './resting-clients.ts';
import type { SharedRates } from './shared-rates.ts';

/** Longest debt of a client, as of a user (shared-rates.ts). */
const debtMaxMilliseconds = 60_000;

/** Token bucket of one client: the moment at which it will be full again. */
class Bucket {
  private fullAt = 0;

  /** Returns milliseconds until there are tokens; 0: there are. */
  spend(count: number, perSecond: number, burstMilliseconds: number, now: number): number {
    const most = now + burstMilliseconds + debtMaxMilliseconds;
    // Further ahead than it can be: the clock was set back.
    const from = this.fullAt > now && this.fullAt <= most ? this.fullAt : now;
    this.fullAt = Math.min(from + (1000 * count) / perSecond, most);
    return Math.max(0, this.fullAt - now - burstMilliseconds);
  }
}

/** Rates of one kind: for each client, and for the clients of a user together; 0: none. */
interface Rate {
  readonly perClient: number;
  readonly perUser: number;
}

/** The client whose rates these are. */
export interface RatedClient {
  readonly userName: string | null;
  /** Called when it is over a rate: nothing more is read from it. */
  holdInput(): void;
  releaseInput(): void;
  /** Called when it is over a rate: no messages are sent to it. */
  holdOutput(): void;
  releaseOutput(): void;
}

export interface RateQuotasParts {
  limits: Limits;
  shared: SharedRates;
  metrics: Metrics;
  turn: TurnClock;
  resting: RestingClients;
}

/** The rates that are configured. */
export class RateQuotas {
  readonly parts: RateQuotasParts;
  readonly messagesIn: Rate;
  readonly bytesIn: Rate;
  readonly messagesOut: Rate;
  readonly bytesOut: Rate;
  readonly subscribes: Rate;
  private readonly countsIn: boolean;
  private readonly countsOut: boolean;

  constructor(parts: RateQuotasParts) {
    const { limits } = parts;
    this.parts = parts;
    this.messagesIn = { perClient: limits.messagesInPerSecond, perUser: limits.userMessagesInPerSecond };
    this.bytesIn = { perClient: limits.bytesInPerSecond, perUser: limits.userBytesInPerSecond };
    this.messagesOut = { perClient: limits.messagesOutPerSecond, perUser: limits.userMessagesOutPerSecond };
    this.bytesOut = { perClient: limits.bytesOutPerSecond, perUser: limits.userBytesOutPerSecond };
    this.subscribes = { perClient: limits.subscribesPerSecond, perUser: 0 };
    this.countsIn = isSet(this.messagesIn) || isSet(this.bytesIn) || isSet(this.subscribes);
    this.countsOut = isSet(this.messagesOut) || isSet(this.bytesOut);
  }

  /** False: no rate is configured, and nothing is counted. */
  get isOn(): boolean {
    return this.countsIn || this.countsOut;
  }

  of(client: RatedClient): ClientRates {
    return new ClientRates(this, client, this.countsOut);
  }
}

function isSet({ perClient, perUser }: Rate): boolean {
  return perClient > 0 || perUser > 0;
}

/** One direction of a client: it rests while it is over a rate. */
class Direction implements RestingClient {
  readonly messages = new Bucket();
  readonly bytes = new Bucket();
  restsUntil = 0;
  private isResting = false;
  private readonly resting: RestingClients;
  private readonly hold: () => void;
  private readonly release: () => void;

  constructor(resting: RestingClients, hold: () => void, release: () => void) {
    this.resting = resting;
    this.hold = hold;
    this.release = release;
  }

  /** Rests at least until then. Returns whether it begins to. */
  rest(until: number): boolean {
    this.restsUntil = Math.max(this.restsUntil, until);
    if (this.isResting) return false;
    this.isResting = true;
    this.resting.add(this);
    this.hold();
    return true;
  }

  rested(): void {
    this.isResting = false;
    this.release();
  }

  end(): void {
    if (this.isResting) this.resting.delete(this);
  }
}

export class ClientRates {
  /** True if what goes out to the client is counted. */
  readonly countsOut: boolean;
  private readonly quotas: RateQuotas;
  private readonly client: RatedClient;
  private readonly input: Direction;
  private readonly output: Direction;
  private readonly subscribes = new Bucket();

  constructor(quotas: RateQuotas, client: RatedClient, countsOut: boolean) {
    const { resting } = quotas.parts;
    this.quotas = quotas;
    this.client = client;
    this.countsOut = countsOut;
    this.input = new Direction(
      resting,
      () => client.holdInput(),
      () => client.releaseInput(),
    );
    this.output = new Direction(
      resting,
      () => client.holdOutput(),
      () => client.releaseOutput(),
    );
  }

  /** Charges what has come: PUBLISH packets, and bytes of all packets. Over a rate, nothing more is read for a while. */
  received(messages: number, bytes: number): void {
    const { input, quotas } = this;
    const wait = Math.max(
      this.spend('messages-in', input.messages, quotas.messagesIn, messages),
      this.spend('bytes-in', input.bytes, quotas.bytesIn, bytes),
    );
    if (wait > 0) this.restInput(wait);
  }

  /** Charges SUBSCRIBE or UNSUBSCRIBE packets. */
  subscribed(packets: number): void {
    const wait = this.spend('subscribes', this.subscribes, this.quotas.subscribes, packets);
    if (wait > 0) this.restInput(wait);
  }

  /** Charges what has gone: PUBLISH packets, and bytes of all packets. Over a rate, no messages go for a while. */
  sent(messages: number, bytes: number): void {
    const { output, quotas } = this;
    const wait = Math.max(
      this.spend('messages-out', output.messages, quotas.messagesOut, messages),
      this.spend('bytes-out', output.bytes, quotas.bytesOut, bytes),
    );
    if (wait > 0 && output.rest(quotas.parts.turn.now + wait)) quotas.parts.metrics.rateLimitedOut++;
  }

  private restInput(wait: number): void {
    const { turn, metrics } = this.quotas.parts;
    if (this.input.rest(turn.now + wait)) metrics.rateLimitedIn++;
  }

  /** The connection has ended. */
  end(): void {
    this.input.end();
    this.output.end();
  }

  /** Returns milliseconds until there are tokens; 0: there are. */
  private spend(kind: string, bucket: Bucket, { perClient, perUser }: Rate, count: number): number {
    const { turn, limits, shared } = this.quotas.parts;
    const { userName } = this.client;
    if (count === 0) return 0;
    const burst = limits.rateBurstSeconds;
    const own = perClient === 0 ? 0 : bucket.spend(count, perClient, 1000 * burst, turn.now);
    if (perUser === 0 || userName === null) return own;
    return Math.max(own, shared.spend(`${kind} ${userName}`, count, perUser, perUser * burst, turn.now));
  }
}
