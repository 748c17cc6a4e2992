/**
 * Events of clients as messages of QoS 1, `$events/client/connected` and its like, with JSON. Where nobody has subscribed to one, it costs a look at the matches
 * of its topic, which are cached. Clients can cause events as often as they like: above a rate they are counted and left out, and the next one says how many.
 */

import type { Publication } from '../message/publication.ts';
import { publicationOf } from '../message/publish-in-place.ts';
import type { Clock } from '../ports/clock.ts';
import type { TopicMatch } from '../subscriptions/topic-match.ts';

export const clientEvents = ['connected', 'disconnected', 'subscribed', 'refused'] as const;
export type ClientEvent = (typeof clientEvents)[number];

/** Events that a worker publishes each second at most: thousands of clients that come back at once are not to be doubled. */
export const eventsPerSecondMax = 1000;
/** Events on their way to the store or to other nodes, at most. */
export const eventsUnderWayMax = 2000;

export interface ClientEventsParts {
  node: string;
  clock: Clock;
  matches: { find(topic: Buffer, start: number, end: number): Pick<TopicMatch, 'isEmptyFor'> };
  router: { publishIfWanted(publication: Publication): Promise<boolean> };
}

export class ClientEvents {
  private readonly parts: ClientEventsParts;
  private readonly topics: Readonly<Record<ClientEvent, Buffer>>;
  private second = 0;
  private inSecond = 0;
  private underWay = 0;
  private leftOut = 0;

  constructor(parts: ClientEventsParts) {
    this.parts = parts;
    this.topics = Object.fromEntries(
      clientEvents.map((event) => [event, Buffer.from(`$events/client/${event}`)]),
    ) as Record<ClientEvent, Buffer>;
  }

  /** False: nobody has subscribed to the event, and nothing need be made for it. */
  isWanted(event: ClientEvent): boolean {
    const topic = this.topics[event];
    return !this.parts.matches.find(topic, 0, topic.length).isEmptyFor(1);
  }

  /** Publishes an event that is wanted. */
  tell(event: ClientEvent, fields: Readonly<Record<string, unknown>>): void {
    const now = this.parts.clock.now();
    if (!this.mayTell(now)) {
      this.leftOut++;
      return;
    }
    const { leftOut } = this;
    this.leftOut = 0;
    const payload = JSON.stringify({
      ...{ event, at: new Date(now).toISOString(), node: this.parts.node },
      ...fields,
      ...(leftOut > 0 ? { eventsLeftOut: leftOut } : {}),
    });
    this.underWay++;
    const done = (): void => {
      this.underWay--;
    };
    this.parts.router
      .publishIfWanted(publicationOf(`$events/client/${event}`, Buffer.from(payload), 1, false))
      .then(done, done);
  }

  private mayTell(now: number): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.second) {
      this.second = second;
      this.inSecond = 0;
    }
    return this.underWay < eventsUnderWayMax && ++this.inSecond <= eventsPerSecondMax;
  }
}
