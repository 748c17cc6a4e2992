import { validateTopicFilter } from '@dunlin/protocol';
import type { PublishRouter } from '../delivery/publish-router.ts';
import { readRecord } from '../message/message-record.ts';
import { publicationOf } from '../message/publish-in-place.ts';
import type { RetainedQuery, RetainedRecord, RetainedRecordPage } from '../ports/client-record.ts';
import type { Clock } from '../ports/clock.ts';
import type { RetainedEntry, RetainedStore } from '../ports/retained-store.ts';
import { QueryError } from './query-error.ts';

export interface RetainedPagesParts {
  store: { readonly retained: RetainedStore };
  router: Pick<PublishRouter, 'publish'>;
  clock: Clock;
}

const nothing = Buffer.alloc(0);

/** Pages of retained messages, which are stored once for all nodes. */
export class RetainedPages {
  private readonly parts: RetainedPagesParts;

  constructor(parts: RetainedPagesParts) {
    this.parts = parts;
  }

  async page({ filter, after, limit, payloadBytesMax, removes }: RetainedQuery): Promise<RetainedRecordPage> {
    const fault = validateTopicFilter(filter);
    if (fault !== null)
      throw new QueryError(`filter: given "${filter.slice(0, 100)}", allowed: a topic filter (${fault})`);
    const { store, router, clock } = this.parts;
    const { entries, next } = await store.retained.read(filter, after, limit, clock.now());
    // Subscribers hear of it, as of every removal; the store is told of all of them in one batch.
    if (removes) await Promise.all(entries.map(({ topic }) => router.publish(publicationOf(topic, nothing, 1, true))));
    return { messages: entries.map((entry) => recordOf(entry, payloadBytesMax)), next };
  }
}

function recordOf({ topic, record, expiresAt }: RetainedEntry, payloadBytesMax: number): RetainedRecord {
  const { bytes, payloadStart, payloadEnd, qos } = readRecord(record);
  return {
    ...{ topic, qos, payloadBytes: payloadEnd - payloadStart },
    payload: bytes.toString('base64', payloadStart, Math.min(payloadEnd, payloadStart + payloadBytesMax)),
    expiresAt: expiresAt === Number.POSITIVE_INFINITY ? null : expiresAt,
  };
}
