/** A cursor whose log skips numbers that nobody was ever given: the store began another era (ports/store.ts). */
import { expect, test } from 'vitest';
import type { LogDelivery } from '../src/delivery/log-delivery.ts';
import { writeRecord } from '../src/message/message-record.ts';
import { Publication } from '../src/message/publication.ts';
import { messagesBetween } from '../src/ports/log-numbers.ts';
import { numbersPerEra } from '../src/ports/log-store.ts';
import { DurableLog, FollowedLogs } from '../src/session/durable-log.ts';
import { LogCursor } from '../src/session/log-cursor.ts';
import type { Session } from '../src/session/session.ts';
import type { Subscription } from '../src/session/subscription.ts';

function cursorAt(acknowledged: number) {
  const sent: number[] = [];
  let expired = 0;
  let reads = 0;
  const delivery = {
    countGap() {},
    markDirty() {},
    countExpired(count: number) {
      expired += count;
    },
    logPages: {
      read() {
        reads++;
      },
    },
    sendLogged(_cursor: LogCursor, sequence: number, _publication: Publication) {
      sent.push(sequence);
    },
  } as unknown as LogDelivery;
  const session = { hasRoom: true, isCompared: true, ended: false } as unknown as Session;
  const log = new DurableLog('log', acknowledged, new FollowedLogs());
  const cursor = new LogCursor({
    ...{ delivery, session, log, isNew: true },
    subscription: {} as Subscription,
    stored: { filter: 'log', acknowledged, above: [] },
  });
  cursor.pump();
  return { cursor, log, sent, expired: () => expired, reads: () => reads };
}

const publication = new Publication();
const entry = (sequence: number) => ({ sequence, record: writeRecord(publication), expiresAt: Infinity });

test('what is in flight before an era is owed until it is acknowledged', () => {
  const { cursor, log, sent, expired, reads } = cursorAt(0);
  for (const sequence of [1, 2, 3]) {
    log.lastSequence = sequence;
    cursor.arrived(sequence, publication);
  }
  const fourth = numbersPerEra + 4;
  log.lastSequence = fourth;
  cursor.arrived(fourth, publication);
  expect(reads()).toBe(1);
  cursor.pageRead([entry(fourth)], 1, fourth);
  expect(sent).toEqual([1, 2, 3, fourth]);
  expect(expired()).toBe(0);
  expect(cursor.stored()).toMatchObject({ acknowledged: 0, above: [] });
  cursor.acknowledge(fourth);
  cursor.acknowledge(1);
  cursor.acknowledge(3);
  expect(cursor.stored()).toMatchObject({ acknowledged: 1, above: [3, fourth] });
  cursor.acknowledge(2);
  expect(cursor.stored()).toMatchObject({ acknowledged: fourth, above: [] });
});

test('what a reconnect sent again is owed as well', () => {
  const { cursor, log } = cursorAt(10);
  cursor.markResent({ packetId: 1, state: 'sent', qos: 1, filter: 'log', sequence: 12, record: null });
  const next = numbersPerEra + 14;
  log.lastSequence = next;
  cursor.checkEnd();
  cursor.pump();
  cursor.pageRead([entry(next)], 1, next);
  cursor.acknowledge(next);
  expect(cursor.stored()).toMatchObject({ acknowledged: 11, above: [next] });
  cursor.acknowledge(12);
  expect(cursor.stored()).toMatchObject({ acknowledged: next, above: [] });
});

test('messages between two numbers', () => {
  expect(messagesBetween(3, 3)).toBe(0);
  expect(messagesBetween(3, 8)).toBe(5);
  expect(messagesBetween(3, 8 + 5 * numbersPerEra)).toBe(5);
  // The first is one that was lost with what came after 8.
  expect(messagesBetween(12, 8 + numbersPerEra)).toBe(0);
  expect(messagesBetween(12, 8)).toBe(0);
});
