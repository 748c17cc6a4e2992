/** Rights of messages that are published later than they were allowed: wills, delayed messages. */
import type { Publication } from '../message/publication.ts';
import { isBridgeStateOf } from '../message/restricted-topic.ts';
import type { Authorizer, ClientIdentity } from '../ports/authorizer.ts';
import type { events } from '../ports/log-events.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { RareWarnings } from '../work/rare-warnings.ts';

type DeniedEvent = (typeof events)['will.denied' | 'delayed.denied'];

export class RightsAgain {
  private readonly authorizer: Authorizer | null;
  private readonly metrics: Metrics;
  private readonly warnings: RareWarnings;

  constructor(authorizer: Authorizer | null, metrics: Metrics, warnings: RareWarnings) {
    this.authorizer = authorizer;
    this.metrics = metrics;
    this.warnings = warnings;
  }

  /** True if the client may publish it now; `client`: null where nobody can be asked. "Cannot tell" means no. */
  mayPublish(client: ClientIdentity | null, publication: Publication, event: DeniedEvent): boolean | Promise<boolean> {
    if (client === null || this.authorizer === null) return true;
    const topic = publication.topic();
    if (isBridgeStateOf(topic, client.clientId)) return true;
    const answer = this.authorizer.authorize(client, 'publish', topic, publication.qos, publication.retain);
    if (answer === true) return true;
    if (answer === false) return this.denied(client, topic, event);
    return answer.then(
      (isAllowed) => isAllowed || this.denied(client, topic, event),
      () => this.denied(client, topic, event),
    );
  }

  private denied({ clientId }: ClientIdentity, topic: string, event: DeniedEvent): false {
    this.metrics.dropped['not-authorized']++;
    this.warnings.warn(event, clientId, { topic });
    return false;
  }
}
