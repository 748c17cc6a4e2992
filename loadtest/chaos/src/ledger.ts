import { parseShare, topicMatchesFilter } from '@dunlin/protocol';
import type { Message } from './message.ts';
import type { Roster } from './roster.ts';

/** Somebody to whom messages are owed: a subscriber, or a group of them. */
export interface Audience {
  readonly name: string;
  readonly filters: readonly string[];
  readonly qos: 1 | 2;
  readonly isDurable: boolean;
  /** True for a shared subscription: order holds for one subscriber; members of a group have none among themselves. */
  readonly isGroup: boolean;
}

/** A message that a subscriber handed to its application. */
export interface Arrival {
  readonly sequence: number;
  /** Milliseconds since the start of the run. */
  readonly at: number;
  readonly client: string;
  readonly qos: number;
  readonly dup: boolean;
  readonly packetId: number;
}

/** Everything one publisher sent on one topic. */
export interface TopicRecord {
  readonly publisher: string;
  readonly topic: string;
  readonly qos: 1 | 2;
  /** Messages in the order of their numbers, from 1. */
  readonly messages: Message[];
}

/** Messages of one topic that came to one audience. */
export interface Stream {
  readonly audience: Audience;
  readonly record: TopicRecord;
  readonly received: Set<number>;
  /** Acknowledged to the publisher, and not here. */
  readonly missing: Set<number>;
  /** Missing, and acknowledged at a time that the store has lost. */
  readonly givenUp: Set<number>;
  readonly arrivals: Arrival[];
  highest: number;
  /** Time since when an ephemeral subscriber is there; null: it is not. */
  joinedAt: number | null;
}

/** An arrival that should not have been, as it was. */
export interface WrongArrival {
  readonly kind: 'duplicate' | 'out of order';
  readonly stream: Stream;
  readonly arrival: Arrival;
  /** The highest number that had come before. */
  readonly highest: number;
}

export interface Verdict {
  acknowledged: number;
  /** First arrivals at durable audiences. */
  delivered: number;
  /** Acknowledged messages that a durable audience never got. */
  lost: number;
  /** QoS 1 messages that came again, as they may. */
  duplicatesQos1: number;
  duplicatesQos2: number;
  outOfOrder: number;
}

/**
 * Time that a store has gone back: from the time that it has come back to, until it was back: what was done meanwhile
 * may be undone.
 */
export interface Setback {
  readonly from: number;
  readonly to: number;
}

/** Costs of a store that came back older: outside its promises. */
export interface SetbackCount {
  /** Acknowledged messages that a durable audience never got. */
  readonly givenUp: number;
  /** QoS 2 messages that came again. */
  readonly duplicatesQos2: number;
}

/** Counts of a client whose session is as long as its connection, which is promised nothing beyond that. */
export interface EphemeralCount {
  delivered: number;
  /** Sent after SUBACK, acknowledged, and not come on a connection that brought later ones of their topic. */
  missed: number;
  outOfOrder: number;
  /** The first few that were missed. */
  readonly gaps: { readonly stream: Stream; readonly message: Message }[];
}

/** Time after which an acknowledgement is in the store at the latest, or a paused node has it still to write. */
const writtenMilliseconds = 10_000;
const examplesMax = 20;
/** Wrong arrivals kept; more are only counted. */
const wrongKeptMax = 1000;

/** Ledger of who sent what, what was acknowledged, and what came to whom. */
export class Ledger {
  readonly ephemeral: EphemeralCount = { delivered: 0, missed: 0, outOfOrder: 0, gaps: [] };
  readonly audiences: readonly Audience[];
  readonly setbacks: Setback[] = [];
  /** Packet identifiers of QoS 2 that came with another message before they were released. */
  reusedIdentifiers = 0;
  #undoneQos2 = 0;
  readonly #records = new Map<string, TopicRecord>();
  readonly #streams = new Map<Audience, Map<string, Stream>>();
  readonly #streamsOfTopic = new Map<string, Stream[]>();
  readonly #wrong: WrongArrival[] = [];
  readonly #counts: Verdict = {
    acknowledged: 0,
    delivered: 0,
    lost: 0,
    duplicatesQos1: 0,
    duplicatesQos2: 0,
    outOfOrder: 0,
  };

  constructor(roster: Roster) {
    const audiences = new Map<string, Audience>();
    for (const { clientId, filters, qos, isDurable, group } of roster.subscribers) {
      const name = group === null ? clientId : `group ${group}`;
      if (!audiences.has(name)) audiences.set(name, { name, filters, qos, isDurable, isGroup: group !== null });
    }
    this.audiences = [...audiences.values()];
    for (const audience of this.audiences) this.#streams.set(audience, new Map());
    for (const { clientId, qos, topics } of roster.publishers) {
      for (const topic of topics) this.#addTopic({ publisher: clientId, topic, qos, messages: [] });
    }
  }

  #addTopic(record: TopicRecord): void {
    this.#records.set(record.topic, record);
    const streams: Stream[] = [];
    for (const audience of this.audiences) {
      if (!audience.filters.some((filter) => topicMatchesFilter(record.topic, parseShare(filter)?.filter ?? filter)))
        continue;
      const stream = {
        audience,
        record,
        received: new Set<number>(),
        missing: new Set<number>(),
        givenUp: new Set<number>(),
        arrivals: [],
        highest: 0,
        joinedAt: null,
      };
      streams.push(stream);
      this.#streams.get(audience)?.set(record.topic, stream);
    }
    this.#streamsOfTopic.set(record.topic, streams);
  }

  /** The audience of a subscriber. */
  audienceOf({ clientId, group }: { readonly clientId: string; readonly group: string | null }): Audience {
    const name = group === null ? clientId : `group ${group}`;
    const found = this.audiences.find((audience) => audience.name === name);
    if (found === undefined) throw new RangeError(`${name} is not in the roster`);
    return found;
  }

  /** A new message on a topic: the next number. */
  published(topic: string, at: number, address: string): Message {
    const record = this.#records.get(topic);
    if (record === undefined) throw new RangeError(`${topic} is not in the roster`);
    const message: Message = {
      publisher: record.publisher,
      topic,
      sequence: record.messages.length + 1,
      sentAt: at,
      address,
      acknowledgedAt: null,
      resent: 0,
      isGivenUp: false,
    };
    record.messages.push(message);
    return message;
  }

  /** PUBACK or PUBREC has come. */
  acknowledged(message: Message, at: number): void {
    if (message.acknowledgedAt !== null) return;
    message.acknowledgedAt = at;
    this.#counts.acknowledged++;
    for (const stream of this.#streamsOfTopic.get(message.topic) ?? []) {
      if (stream.audience.isDurable && !stream.received.has(message.sequence)) stream.missing.add(message.sequence);
    }
  }

  /** The store has come back as it was at `from`; `to`: now. */
  wentBack(from: number, to: number): void {
    this.setbacks.push({ from, to });
    for (const { missing, givenUp, record } of this.#allStreams())
      for (const sequence of missing) {
        if ((record.messages[sequence - 1].acknowledgedAt ?? 0) < from) continue;
        missing.delete(sequence);
        givenUp.add(sequence);
      }
  }

  /**
   * True when a store that came back older explains that something which was done at one time was done again at
   * another.
   */
  #isUndone(first: number, again: number): boolean {
    return this.setbacks.some(({ from, to }) => first > from - writtenMilliseconds && first < to && again > from);
  }

  get setbackCount(): SetbackCount {
    let givenUp = 0;
    for (const stream of this.#allStreams()) givenUp += stream.givenUp.size;
    return { givenUp, duplicatesQos2: this.#undoneQos2 };
  }

  /** A message was handed to an application. False: nobody sent it, or it was not asked for. */
  arrived(audience: Audience, topic: string, arrival: Arrival): boolean {
    const stream = this.#streams.get(audience)?.get(topic);
    if (stream === undefined || arrival.sequence > stream.record.messages.length) return false;
    stream.arrivals.push(arrival);
    stream.missing.delete(arrival.sequence);
    stream.givenUp.delete(arrival.sequence);
    if (stream.received.has(arrival.sequence)) {
      this.#again(stream, arrival);
      return true;
    }
    stream.received.add(arrival.sequence);
    if (audience.isDurable) this.#counts.delivered++;
    else this.ephemeral.delivered++;
    if (arrival.sequence > stream.highest) stream.highest = arrival.sequence;
    else if (!audience.isDurable) this.ephemeral.outOfOrder++;
    else if (!audience.isGroup) this.#keep({ kind: 'out of order', stream, arrival, highest: stream.highest });
    return true;
  }

  #again(stream: Stream, arrival: Arrival): void {
    if (!stream.audience.isDurable) return;
    if (Math.min(stream.audience.qos, stream.record.qos) < 2) {
      this.#counts.duplicatesQos1++;
      return;
    }
    const first = stream.arrivals.find(({ sequence }) => sequence === arrival.sequence);
    if (this.#isUndone(first?.at ?? 0, arrival.at)) {
      this.#undoneQos2++;
      return;
    }
    this.#counts.duplicatesQos2++;
    this.#keep({ kind: 'duplicate', stream, arrival, highest: stream.highest });
  }

  #keep(wrong: WrongArrival): void {
    if (this.#wrong.length < wrongKeptMax) this.#wrong.push(wrong);
  }

  /** An ephemeral subscriber has its SUBACK. */
  joined(audience: Audience, at: number): void {
    for (const stream of this.#streams.get(audience)?.values() ?? []) {
      stream.joinedAt = at;
      stream.highest = 0;
      stream.received.clear();
    }
  }

  /** An ephemeral subscriber has lost its connection: what did it miss while that was there, and brought later numbers? */
  left(audience: Audience): void {
    for (const stream of this.#streams.get(audience)?.values() ?? []) {
      const { joinedAt, highest, record, received } = stream;
      stream.joinedAt = null;
      if (joinedAt === null) continue;
      for (let index = highest - 2; index >= 0 && record.messages[index].sentAt > joinedAt; index--) {
        const message = record.messages[index];
        if (message.acknowledgedAt === null || received.has(message.sequence)) continue;
        this.ephemeral.missed++;
        if (this.ephemeral.gaps.length < examplesMax) this.ephemeral.gaps.push({ stream, message });
      }
    }
  }

  /** Number of acknowledged messages that have not come to durable audiences yet. */
  get outstanding(): number {
    let sum = 0;
    for (const stream of this.#allStreams()) sum += stream.missing.size;
    return sum;
  }

  /** The same by the name of the audience, where there are any. */
  get outstandingByAudience(): Map<string, number> {
    const sums = new Map<string, number>();
    for (const { audience, missing } of this.incomplete)
      sums.set(audience.name, (sums.get(audience.name) ?? 0) + missing.size);
    return sums;
  }

  *#allStreams(): Generator<Stream> {
    for (const streams of this.#streams.values()) yield* streams.values();
  }

  /** Streams with acknowledged messages that did not come. */
  get incomplete(): Stream[] {
    return [...this.#allStreams()].filter(({ missing }) => missing.size > 0);
  }

  /** Duplicates of QoS 2, and arrivals behind later ones that nothing excuses. */
  get wrong(): WrongArrival[] {
    return this.#wrong.filter(({ kind, stream, arrival }) => {
      // What its publisher gave up may come at any time.
      return kind === 'duplicate' || !stream.record.messages[arrival.sequence - 1].isGivenUp;
    });
  }

  get verdict(): Verdict {
    const outOfOrder = this.wrong.filter(({ kind }) => kind === 'out of order').length;
    return { ...this.#counts, lost: this.outstanding, outOfOrder };
  }
}

/** The last line of a run. */
export function verdictLine(verdict: Verdict, back: number, clients: number): string {
  const { acknowledged, delivered, lost, duplicatesQos1, duplicatesQos2, outOfOrder } = verdict;
  return [
    `acknowledged ${acknowledged}`,
    `delivered ${delivered}`,
    `lost ${lost}`,
    `duplicates qos1 ${duplicatesQos1} qos2 ${duplicatesQos2}`,
    `out of order ${outOfOrder}`,
    `clients back ${back}/${clients}`,
  ].join(', ');
}

/** Fate of messages while the store was older than it had been. */
export function setbackLine({ setbacks, setbackCount, reusedIdentifiers }: Ledger): string {
  const { givenUp, duplicatesQos2 } = setbackCount;
  const milliseconds = setbacks.reduce((sum, { from, to }) => sum + to - from, 0);
  return [
    `Redis came back older ${setbacks.length} times, by ${(milliseconds / 1000).toFixed(1)} s together`,
    `given up ${givenUp} deliveries of what was acknowledged in that time`,
    `QoS 2 messages again ${duplicatesQos2}`,
    `under identifiers not released ${reusedIdentifiers}`,
  ].join(', ');
}
