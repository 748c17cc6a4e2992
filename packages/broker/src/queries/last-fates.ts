import { topicMatchesFilter, validateTopicFilter } from '@dunlin/protocol';
import type { Fates } from '../message/fates.ts';
import type { FateRecord, FatesQuery } from '../ports/fate-record.ts';
import { quote } from './explain-steps.ts';
import { QueryError } from './query-error.ts';

/** Fates of the last messages of a client, or on topics of a filter. Throws QueryError for what is no filter. */
export function lastFates(fates: Fates, { clientId, filter, limit }: FatesQuery): FateRecord[] {
  const fault = filter === '' ? null : validateTopicFilter(filter);
  if (fault !== null) throw new QueryError(`filter: given ${quote(filter)}, allowed: a topic filter (${fault})`);
  return fates.last(clientId, (topic) => filter === '' || topicMatchesFilter(topic, filter), limit);
}
