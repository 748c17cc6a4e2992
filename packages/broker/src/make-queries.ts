import type { LastDisconnects } from './connection/last-disconnects.ts';
import type { PublishRouter } from './delivery/publish-router.ts';
import type { DurableFilters } from './logs/durable-filters.ts';
import type { Clock } from './ports/clock.ts';
import type { Limits } from './ports/limits.ts';
import type { StoreParts } from './ports/store.ts';
import { ClientCommands } from './queries/client-commands.ts';
import { ClientList } from './queries/client-list.ts';
import { clientDetail } from './queries/client-records.ts';
import { Explain, type ExplainParts } from './queries/explain.ts';
import { lastFates } from './queries/last-fates.ts';
import { PublishCommand } from './queries/publish-command.ts';
import { Queries } from './queries/queries.ts';
import { RetainedPages } from './queries/retained-query.ts';
import type { Session } from './session/session.ts';
import type { TopicMatches } from './subscriptions/topic-match.ts';
import type { TurnClock } from './work/turn-clock.ts';

export interface QueriesParts extends ExplainParts {
  store: StoreParts;
  clock: Clock;
  limits: Limits;
  turn: TurnClock;
  sessions: { get(clientId: string): Session | undefined; all(): Iterable<Session> };
  durableFilters: DurableFilters;
  router: PublishRouter;
  matches: TopicMatches;
  clientLog: { readonly lastDisconnects: LastDisconnects };
}

/** Answers to questions about this worker, by their kinds. */
export function makeQueries(parts: QueriesParts): Queries {
  const { store, clock, limits, turn, sessions, durableFilters, router, matches, clientLog } = parts;
  const list = new ClientList({ clock, sessions });
  const commands = new ClientCommands({ store, sessions, durableFilters });
  const publishing = new PublishCommand({ router, matches, turn, packetBytesMax: limits.maximumPacketSizeBytes });
  const retained = new RetainedPages({ store, router, clock });
  const queries = new Queries();
  queries.add('clients', (query) => list.page(query));
  queries.add('client', async ({ clientId }) => {
    const session = sessions.get(clientId);
    const client = session === undefined ? null : clientDetail(session);
    return { client, lastDisconnect: clientLog.lastDisconnects.of(clientId) };
  });
  queries.add('kick', async ({ clientId, reason }) => commands.kick(clientId, reason));
  queries.add('end-session', async ({ clientId }) => commands.endSession(clientId));
  queries.add('forget-session', ({ clientId }) => commands.forgetSession(clientId));
  queries.add('receivers', async ({ topic }) => publishing.receivers(topic));
  queries.add('publish', (query) => publishing.publish(query));
  queries.add('retained', (query) => retained.page(query));
  const explain = new Explain(parts);
  queries.add('explain', (query) => explain.here(query));
  queries.add('fates', async (query) => lastFates(parts.delivery.fates, query));
  queries.add('explain-away', (query) => explain.away(query));
  return queries;
}
