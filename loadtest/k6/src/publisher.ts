import type { MqttClient } from './client.ts';
import { type QoS, utf8 } from './codec.ts';
import type { Group } from './group.ts';
import type { Pace } from './pace.ts';
import { qosOf } from './settings.ts';
import { payloadOf, writeStamp } from './stamp.ts';
import type { Tally } from './tally.ts';

/** A row of messages: those of one publisher on one topic. */
export interface Stream {
  readonly index: number;
  readonly topic: string;
}

/** Error of messages that were not acknowledged in time. */
export class UnacknowledgedError extends Error {
  constructor(count: number) {
    super(`no acknowledgement came in time; ${count} messages wait for theirs`);
    this.name = 'UnacknowledgedError';
  }
}

/**
 * Publishes stamped messages to its streams in turn, and tells the tally. Messages become due; what is due is sent as soon as
 * acknowledgements allow.
 */
export class Publisher {
  readonly #client: MqttClient;
  readonly #group: Group;
  readonly #tally: Tally;
  readonly #streams: readonly { readonly index: number; readonly topic: Uint8Array }[];
  readonly #payload: Uint8Array;
  readonly #retain: boolean;
  readonly #qos: QoS;
  #pace: Pace | null = null;
  #due = 0;
  #sent = 0;

  /** @param retain retained messages are sent with QoS 1 at least: with QoS 0 nobody could say when they are there */
  constructor(group: Group, client: MqttClient, tally: Tally, streams: readonly Stream[], retain = false) {
    const qos = qosOf(group.settings);
    this.#group = group;
    this.#client = client;
    this.#tally = tally;
    this.#streams = streams.map(({ index, topic }) => ({ index, topic: utf8(topic) }));
    this.#payload = payloadOf(group.settings.payloadBytes);
    this.#retain = retain;
    this.#qos = retain && qos === 0 ? 1 : qos;
    client.onAcknowledged = () => this.#send();
  }

  /** Sends the messages that are due by `now`. */
  sendDue(pace: Pace, now: number): void {
    this.#pace = pace;
    this.#due = Math.max(this.#due, pace.dueCount(now));
    this.#send();
  }

  /** Sends `count` more at once. Resolves when all are acknowledged. @throws UnacknowledgedError */
  async sendAll(count: number): Promise<void> {
    const client = this.#client;
    this.#due += count;
    this.#send();
    while (this.#sent < this.#due || client.inflight > 0) {
      const { acknowledged } = client;
      const hasMoved = await this.#group.until(() => client.acknowledged > acknowledged);
      if (!hasMoved) throw new UnacknowledgedError(client.inflight);
    }
  }

  #send(): void {
    if (this.#sent === this.#due) return;
    while (this.#sent < this.#due && this.#client.canPublish(this.#qos)) this.#publish();
    this.#client.flush();
  }

  #publish(): void {
    const now = this.#group.clock.now();
    if (this.#pace !== null) this.#group.add('mqtt_generator_lag', Math.max(0, now - this.#pace.dueAt(this.#sent)));
    const { index, topic } = this.#streams[this.#sent % this.#streams.length];
    writeStamp(this.#payload, index, this.#tally.nextSequence(index), now);
    this.#client.publish(topic, this.#payload, this.#qos, this.#retain);
    this.#tally.sent(index);
    this.#sent++;
    this.#group.add('mqtt_messages_sent', 1);
  }
}
