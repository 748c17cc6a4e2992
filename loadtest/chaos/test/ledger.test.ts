import { describe, expect, test } from 'vitest';
import { Chronicle } from '../src/chronicle.ts';
import { evidence } from '../src/evidence.ts';
import { type Audience, Ledger, verdictLine } from '../src/ledger.ts';
import type { Roster } from '../src/roster.ts';

const client = { version: 5, isDurable: true, address: 0 } as const;
const subscriber = { ...client, qos: 2, group: null, receiveMaximum: 10 } as const;

const roster: Roster = {
  publishers: [
    { ...client, clientId: 'once', qos: 2, topics: ['chaos/once'] },
    { ...client, clientId: 'least', qos: 1, topics: ['chaos/least'] },
  ],
  subscribers: [
    { ...subscriber, clientId: 'all', filters: ['chaos/#'] },
    { ...subscriber, clientId: 'other', filters: ['chaos/least'] },
    { ...subscriber, clientId: 'passing', filters: ['chaos/#'], isDurable: false },
    { ...subscriber, clientId: 'member-0', filters: ['$share/crew/chaos/once'], group: 'crew' },
    { ...subscriber, clientId: 'member-1', filters: ['$share/crew/chaos/once'], group: 'crew' },
  ],
};

/** A ledger with three acknowledged messages on a topic, in whose arrivals it is told by numbers. */
function play(topic: string) {
  const ledger = new Ledger(roster);
  const messages = [1, 2, 3].map((at) => ledger.published(topic, at, 'haproxy'));
  for (const message of messages) ledger.acknowledged(message, 10);
  const audience = (name: string) => ledger.audiences.find((one) => one.name === name) as Audience;
  const come = (name: string, ...sequences: number[]) =>
    sequences.map((sequence) =>
      ledger.arrived(audience(name), topic, { sequence, at: 20, client: name, qos: 2, dup: false, packetId: 1 }),
    );
  return { ledger, messages, audience, come };
}

describe('a topic of QoS 2', () => {
  test('everything came: nothing is wrong', () => {
    const { ledger, come } = play('chaos/once');
    come('all', 1, 2, 3);
    come('group crew', 2, 1, 3);
    expect(ledger.verdict).toEqual({
      acknowledged: 3,
      delivered: 6,
      lost: 0,
      duplicatesQos1: 0,
      duplicatesQos2: 0,
      outOfOrder: 0,
    });
  });

  test('what was acknowledged and did not come is lost, once for each it was owed to', () => {
    const { ledger, come } = play('chaos/once');
    come('all', 1, 3);
    expect(ledger.verdict).toMatchObject({ lost: 1 + 3, outOfOrder: 0 });
    expect(Object.fromEntries(ledger.outstandingByAudience)).toEqual({ all: 1, 'group crew': 3 });
  });

  test('what was not acknowledged is owed to nobody', () => {
    const { ledger, come } = play('chaos/once');
    come('all', 1, 2, 3);
    come('group crew', 1, 2, 3);
    ledger.published('chaos/once', 4, 'haproxy');
    expect(ledger.verdict).toMatchObject({ acknowledged: 3, lost: 0 });
  });

  test('an arrival before the acknowledgement counts', () => {
    const { ledger, come } = play('chaos/once');
    const fourth = ledger.published('chaos/once', 4, 'haproxy');
    come('all', 1, 2, 3, 4);
    come('group crew', 1, 2, 3, 4);
    ledger.acknowledged(fourth, 30);
    expect(ledger.verdict).toMatchObject({ acknowledged: 4, delivered: 8, lost: 0 });
  });

  test('a second arrival is a duplicate', () => {
    const { ledger, come } = play('chaos/once');
    come('all', 1, 2, 3, 2);
    come('group crew', 1, 1, 2, 3);
    expect(ledger.verdict).toMatchObject({ duplicatesQos2: 2, duplicatesQos1: 0, outOfOrder: 0 });
  });

  test('a first arrival behind a later one is out of order, unless it was given up', () => {
    const { ledger, messages, come } = play('chaos/once');
    come('all', 2, 1, 3);
    expect(ledger.verdict.outOfOrder).toBe(1);
    messages[0].isGivenUp = true;
    expect(ledger.verdict.outOfOrder).toBe(0);
  });
});

describe('a topic of QoS 1', () => {
  test('may come again, also behind later ones, once it has come', () => {
    const { ledger, come } = play('chaos/least');
    come('all', 1, 2, 1, 2, 3);
    come('other', 1, 2, 3);
    expect(ledger.verdict).toMatchObject({ lost: 0, duplicatesQos1: 2, duplicatesQos2: 0, outOfOrder: 0 });
  });

  test('must come in order at first', () => {
    const { ledger, come } = play('chaos/least');
    come('all', 3, 1, 2);
    expect(ledger.verdict.outOfOrder).toBe(2);
  });
});

test('what nobody sent, or did not ask for, is told', () => {
  const { come } = play('chaos/once');
  expect(come('all', 3, 4)).toEqual([true, false]);
  expect(come('other', 1)).toEqual([false]);
});

test('an ephemeral subscriber misses what a living connection passed over', () => {
  const { ledger, audience, come } = play('chaos/once');
  const passing = audience('passing');
  ledger.joined(passing, 100);
  // 4 to 8; 6 is not acknowledged, and 8 is the last thing before the connection is gone.
  for (const at of [101, 102, 103, 104, 105]) {
    const message = ledger.published('chaos/once', at, 'haproxy');
    if (message.sequence !== 6) ledger.acknowledged(message, at);
  }
  come('passing', 4, 7);
  ledger.left(passing);
  expect(ledger.ephemeral).toMatchObject({ delivered: 2, missed: 1, outOfOrder: 0 });
  expect(ledger.ephemeral.gaps[0].message.sequence).toBe(5);
  expect(ledger.verdict.duplicatesQos2).toBe(0);
});

test('the evidence names message, subscriber, times and faults', () => {
  const { ledger, come } = play('chaos/least');
  come('all', 1, 3);
  come('other', 1, 2, 3);
  const chronicle = new Chronicle();
  chronicle.note('all', 'lost connection at b: closed');
  chronicle.begin('kill-node b').toMilliseconds = 12;
  const text = evidence(ledger, chronicle).join('\n');
  expect(text).toContain('LOST least chaos/least number 2 (QoS 1) never came to all (QoS 2)');
  expect(text).toContain('sent 0.002 s');
  expect(text).toContain('acknowledged 0.010 s');
  expect(text).toContain('beside it: 1 came 0.020 s');
  expect(text).toContain('beside it: 3 came 0.020 s');
  expect(text).toContain('all lost connection at b: closed');
  expect(text).toMatch(/fault: .*kill-node b/);
});

test('the last line', () => {
  const { ledger, come } = play('chaos/once');
  come('all', 1, 2, 3);
  come('group crew', 1, 2);
  expect(verdictLine(ledger.verdict, 4, 5)).toBe(
    'acknowledged 3, delivered 5, lost 1, duplicates qos1 0 qos2 0, out of order 0, clients back 4/5',
  );
});
