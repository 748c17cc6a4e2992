/**
 * Dead letters: a message that members of a shared group left unacknowledged too often (`limits.groupDeliveriesMax`) is
 * published once more as `$dead-letter/{group}/{topic}`, an ordinary message that is not retained. Without a subscriber
 * it is dropped and counted. After a crash it may come twice, also with QoS 2.
 */
import { ProtocolError, parseShare } from '@dunlin/protocol';
import type { PublishRouter } from '../delivery/publish-router.ts';
import { readRecord, writeRecord } from '../message/message-record.ts';
import type { Publication } from '../message/publication.ts';
import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { SharedGroup } from '../subscriptions/shared-subscriptions.ts';

/** Resolves when the dead letter is as safe as an acknowledged publish, or was dropped. */
export async function publishDeadLetter(
  router: PublishRouter,
  logger: Logger,
  metrics: Metrics,
  group: SharedGroup,
  publication: Publication,
): Promise<void> {
  metrics.deadLetters++;
  const name = parseShare(group.name)?.shareName ?? '';
  const topic = Buffer.from(`$dead-letter/${name}/${publication.topic()}`);
  const letter = readRecord(writeRecord(publication, topic, 0));
  letter.retain = false;
  try {
    if (await router.publishIfWanted(letter)) return;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error; // with the prefix it has too many levels, or is too long
    logger.warn(events['dead-letter.publish-failed'], { group: group.name, error });
  }
  metrics.dropped['dead-letter']++;
}
