import type { LastDisconnects } from '../connection/last-disconnects.ts';
import type { SubscriptionRights } from '../connection/subscription-rights.ts';
import type { SessionDelivery } from '../delivery/session-delivery.ts';
import type { BanList } from '../guards/ban-list.ts';
import { describeBan } from '../guards/ban-list.ts';
import type { PublishAuthorization } from '../handlers/authorize-publish.ts';
import type { Clock } from '../ports/clock.ts';
import type { ExplainAnswer, ExplainAwayQuery, ExplainQuery, Explanation } from '../ports/explanation.ts';
import type { Limits } from '../ports/limits.ts';
import type { StoreParts } from '../ports/store.ts';
import type { Session } from '../session/session.ts';
import type { TopicMatches } from '../subscriptions/topic-match.ts';
import { explainAway } from './explain-away.ts';
import { explainPublisher, supposedMessage } from './explain-publisher.ts';
import { explainReceiver } from './explain-receiver.ts';
import { ExplainSteps, quote } from './explain-steps.ts';

export interface ExplainParts {
  self: string;
  store: StoreParts;
  clock: Clock;
  limits: Limits;
  sessions: { get(clientId: string): Session | undefined };
  matches: TopicMatches;
  delivery: SessionDelivery;
  rights: Pick<SubscriptionRights, 'mayHave'>;
  authorization: Pick<PublishAuthorization, 'mayPublish'>;
  bans: Pick<BanList, 'of'>;
  clientLog: { readonly lastDisconnects: LastDisconnects };
}

/** Explanations of what would become of a message, by the rules that decide it. Nothing is sent or changed for them. */
export class Explain {
  private readonly parts: ExplainParts;

  constructor(parts: ExplainParts) {
    this.parts = parts;
  }

  /** Knowledge of this worker: of the client or of the publisher, if they are connected here. */
  async here(query: ExplainQuery): Promise<ExplainAnswer> {
    const { parts } = this;
    const { sessions, matches, limits, store, clock } = parts;
    const lasts = parts.clientLog.lastDisconnects;
    const message = supposedMessage(query, matches, limits);
    const receiver = sessions.get(query.clientId);
    const publisher = query.publisher === '' ? undefined : sessions.get(query.publisher);
    const now = clock.now();
    return {
      publisher: publisher === undefined ? null : await explainPublisher(parts, publisher, message),
      receiver:
        receiver === undefined
          ? null
          : await explainReceiver({ ...parts, logs: store.logs, retained: store.retained, now }, receiver, message),
      lastDisconnect: lasts.of(query.clientId),
      publisherLastDisconnect: query.publisher === '' ? null : lasts.of(query.publisher),
    };
  }

  /** Explains from the store, for a client that is not connected to any node. */
  async away(query: ExplainAwayQuery): Promise<Explanation> {
    const { bans, store, clock, limits, matches } = this.parts;
    const steps = new ExplainSteps();
    const { clientId, address } = query;
    const message = supposedMessage(query, matches, limits);
    steps.note('connected', `Client ${quote(clientId)} is not connected.`);
    const ban = bans.of({ clientId, userName: null, remoteAddress: address });
    if (ban !== null) steps.note('banned', `It is ${describeBan(ban)}.`);
    const now = clock.now();
    const stored = await store.sessions.find(clientId);
    return explainAway({ limits, logs: store.logs, retained: store.retained, now }, steps, stored, message);
  }
}
