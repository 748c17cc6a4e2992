import type { DurablePublisher } from './durable-publisher.ts';
import type { DurableSubscriber } from './durable-subscriber.ts';

/** Fate of the messages of a run, counted over all pairs of publisher and subscriber. */
export interface CrashVerdict {
  sent: number;
  lost: number;
  /** Messages of QoS 2 that a subscriber of QoS 2 got more than once. */
  duplicates: number;
  /** First arrivals behind a later message of their publisher and topic. */
  disordered: number;
  /** Messages that came again where QoS 1 allows it. */
  repeated: number;
  resent: number;
  /** The first few messages that are wrong, each with what happened to it. */
  examples: string[];
}

const examplesMax = 20;

/** Compares what was sent with what arrived. Every subscriber's filters match every publisher's topics. */
export function judge(
  publishers: readonly DurablePublisher[],
  subscribers: readonly DurableSubscriber[],
): CrashVerdict {
  const verdict = { sent: 0, lost: 0, duplicates: 0, disordered: 0, repeated: 0, resent: 0, examples: [] };
  for (const publisher of publishers) {
    verdict.resent += publisher.resent;
    for (const [topic, last] of publisher.lastSequences) {
      verdict.sent += last;
      for (const subscriber of subscribers) judgeStream(verdict, publisher, topic, last, subscriber);
    }
  }
  return verdict;
}

function judgeStream(
  verdict: CrashVerdict,
  publisher: DurablePublisher,
  topic: string,
  last: number,
  subscriber: DurableSubscriber,
): void {
  const arrivals = subscriber.arrivals.get(`${publisher.clientId} ${topic}`) ?? [];
  const isExact = publisher.qos === 2 && subscriber.qos === 2;
  const wrong = (sequence: number, what: string) => {
    const message = `${publisher.clientId} ${topic} ${sequence} to ${subscriber.clientId}: ${what}`;
    if (verdict.examples.length < examplesMax) verdict.examples.push(message);
  };
  const seen = new Set<number>();
  let highest = 0;
  for (const sequence of arrivals) {
    if (seen.has(sequence)) {
      if (isExact) {
        verdict.duplicates++;
        wrong(sequence, 'came again');
      } else verdict.repeated++;
    } else if (sequence < highest) {
      verdict.disordered++;
      wrong(sequence, `came after ${highest}`);
    }
    seen.add(sequence);
    highest = Math.max(highest, sequence);
  }
  for (let sequence = 1; sequence <= last; sequence++) {
    if (seen.has(sequence)) continue;
    verdict.lost++;
    wrong(sequence, `never came (${last} were sent, ${highest} was the last to come)`);
  }
}
