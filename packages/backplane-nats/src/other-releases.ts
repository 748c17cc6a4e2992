import type { EndpointId, Logger } from '@dunlin/broker';
import { events } from './log-events.ts';
import type { Member } from './membership.ts';

/** Limit of nodes that are remembered as named; a cluster has about a hundred. */
const namedMax = 1000;

/**
 * Log of nodes that run another release than this one: while a cluster is upgraded, and where a node was forgotten. One
 * line for each.
 */
export class OtherReleases {
  readonly #own: string | undefined;
  readonly #logger: Logger;
  readonly #named = new Set<string>();

  /** `own`: undefined when this endpoint does not know its release; then nothing is named. */
  constructor(own: string | undefined, logger: Logger) {
    this.#own = own;
    this.#logger = logger;
  }

  /** Notes the release in a heartbeat of this member; empty: it named none. */
  heard(member: Member, release: string): void {
    if (member.release !== null) return;
    member.release = release;
    if (this.#own === undefined || release === this.#own) return;
    const key = `${nodeOf(member.endpoint)} ${release}`;
    if (this.#named.has(key)) return;
    if (this.#named.size >= namedMax) this.#named.clear();
    this.#named.add(key);
    const { endpoint } = member;
    this.#logger.info(events['release.differed'], {
      endpoint,
      release: release || 'before 0.2',
      own: this.#own,
    });
  }
}

function nodeOf(endpoint: EndpointId): string {
  return endpoint.slice(0, endpoint.indexOf('/'));
}
