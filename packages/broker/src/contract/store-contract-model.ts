import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../memory/memory-store.ts';
import type { Claim, Cursor } from '../ports/session-store.ts';
import type { Store } from '../ports/store.ts';
import {
  bytes,
  comparable,
  filtersOf,
  logOf,
  message,
  nextDue,
  retainedTopics,
  type StoreOpener,
  subscription,
  text,
} from './store-contract-kit.ts';

/** Call made to the store and to its model alike. `epochs` holds the epochs that each of the two gave to a client. */
type Call = (store: Store, epochs: Map<string, number>, now: number) => Promise<unknown>;

const clients = fc.constantFrom('c', 'd', 'e');
const filterNames = ['a', 'b', 'a/#'];
const filters = fc.constantFrom(...filterNames);
const groups = fc.constantFrom('$share/g/a', '$share/h/a', '$share/g/b');
const endpoints = fc.constantFrom('n/0#1', 'n/1#1');
const small = fc.integer({ min: 1, max: 4 });

/** Calls of which any sequence leads a store to the same state as the model. */
const calls: fc.Arbitrary<{ name: string; call: Call }> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(clients, endpoints, fc.boolean(), fc.constantFrom(0, 2, 60)).map(claim) },
  fc
    .tuple(clients, fc.boolean())
    .map(([clientId, old]) =>
      named('release', (store, epochs, now) => store.sessions.release(keyOf(epochs, clientId, old), {}, now)),
    ),
  fc
    .tuple(clients, filters, fc.constantFrom(0, 1, 2))
    .map(([clientId, filter, qos]) =>
      named(`subscribe ${filter}`, (store, epochs) =>
        store.sessions.subscribe(keyOf(epochs, clientId), [subscription(filter, qos as 0 | 1 | 2)]),
      ),
    ),
  fc
    .tuple(clients, filters)
    .map(([clientId, filter]) =>
      named('unsubscribe', (store, epochs) => store.sessions.unsubscribe(keyOf(epochs, clientId), [filter])),
    ),
  fc
    .tuple(clients, filters)
    .map(([clientId, filter]) =>
      named('endCursors', (store, epochs) => store.sessions.endCursors(keyOf(epochs, clientId), [filter])),
    ),
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.uniqueArray(filters, { minLength: 1 }), clients, fc.option(small), fc.boolean(), small)
      .map(append),
  },
  fc.tuple(fc.array(fc.uniqueArray(filters, { minLength: 1 }), { maxLength: 4 }), fc.nat(4), fc.boolean()).map(repeat),
  fc.tuple(clients, filters, small).map(([clientId, filter, acknowledged]) =>
    named(`acknowledge ${acknowledged} of ${filter}`, (store, epochs) =>
      store.sessions.update(keyOf(epochs, clientId), {
        cursors: [cursorAt(filter, Math.min(acknowledged, epochs.get(endOf(filter)) ?? 0))],
      }),
    ),
  ),
  fc
    .tuple(clients, small, fc.boolean())
    .map(([clientId, packetId, remove]) =>
      named('outbound', (store, epochs) =>
        store.sessions.update(
          keyOf(epochs, clientId),
          remove
            ? { outboundDelete: [packetId], inboundDelete: [packetId] }
            : { outboundSet: [{ packetId, state: 'sent', qos: 1, filter: 'a', sequence: packetId, record: null }] },
        ),
      ),
    ),
  fc
    .tuple(clients, endpoints, fc.boolean())
    .map(([clientId, owner, none]) =>
      named('wills.set', (store, epochs) =>
        store.wills.set(keyOf(epochs, clientId), owner, none ? null : { record: bytes('w'), delaySeconds: 3 }),
      ),
    ),
  fc
    .tuple(clients, small)
    .map(([clientId, seconds]) =>
      named('wills.schedule', (store, epochs, now) =>
        store.wills.schedule(keyOf(epochs, clientId), now + seconds * 1000),
      ),
    ),
  { weight: 2, arbitrary: fc.tuple(clients, groups, fc.constantFrom(0, 1, 2)).map(joinGroup) },
  fc
    .tuple(clients, groups)
    .map(([clientId, group]) =>
      named('leave a group', (store, epochs) => store.sessions.unsubscribe(keyOf(epochs, clientId), [group])),
    ),
  groups.map(claimGroup),
  fc.tuple(groups, small, fc.boolean()).map(updateGroup),
  fc
    .tuple(groups, clients, small, fc.boolean(), fc.boolean())
    .map(([group, clientId, sequence, isFinal, old]) =>
      named('reserve', (store, epochs) =>
        store.groups.reserve({ group, epoch: (epochs.get(group) ?? 0) - (old ? 1 : 0) }, [
          { sequence, clientId, isFinal },
        ]),
      ),
    ),
  fc.constant(
    named('wills.takeDue', async (store, _, now) =>
      (await store.wills.takeDue(now, 9)).map(({ clientId, owner, dueAt }) => [clientId, owner, dueAt]).sort(),
    ),
  ),
  clients.map((clientId) => named('delete', (store) => store.sessions.delete(clientId))),
  fc.constant(named('expire', async (store, _, now) => (await store.sessions.expire(now, 9)).sort())),
  endpoints.map((owner) => named('releaseOwner', (store, _, now) => store.sessions.releaseOwner(owner, now))),
  fc
    .tuple(small, fc.integer({ min: 0, max: 3 }))
    .map(([messagesMax, bytesMax]) =>
      named('trim', (store, _, now) => store.logs.trim({ messagesMax: messagesMax * 3, bytesMax: bytesMax * 10 }, now)),
    ),
  fc
    .tuple(fc.constantFrom('a', 'a/b', '$x', 'l'.repeat(2000)), fc.boolean())
    .map(([topic, remove]) =>
      named('retained.set', (store) => store.retained.set(topic, remove ? null : bytes('r'), Infinity)),
    ),
);

export function modelContract(open: StoreOpener): void {
  describe('compared with the memory store', () => {
    it('gives the same answers to any sequence of calls, one by one or in one turn', async () => {
      const batches = fc.array(fc.array(calls, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 25 });
      await fc.assert(
        fc.asyncProperty(batches, async (sequence) => {
          const { store, dispose } = await open();
          const model = new MemoryStore();
          await model.open();
          try {
            await compare(store, model, sequence);
          } finally {
            await dispose();
          }
        }),
        { numRuns: 60 },
      );
    }, 60_000);
  });
}

async function compare(store: Store, model: Store, sequence: { name: string; call: Call }[][]): Promise<void> {
  const storeEpochs = new Map<string, number>();
  const modelEpochs = new Map<string, number>();
  let now = 1_700_000_000_000;
  for (const batch of sequence) {
    await noteEnds(store, storeEpochs);
    await noteEnds(model, modelEpochs);
    const given = await Promise.all(batch.map(({ call }) => outcome(call(store, storeEpochs, now))));
    const expected = await Promise.all(batch.map(({ call }) => outcome(call(model, modelEpochs, now))));
    expect({ batch, given }).toEqual({ batch, given: expected });
    expect(await everything(store, now)).toEqual(await everything(model, now));
    now += 700;
  }
}

/** Name under which the last number of a log is kept beside the epochs. */
function endOf(filter: string): string {
  return `end of ${filter}`;
}

/**
 * Keeps the last numbers of the logs: no session acknowledges what a log does not have, except one whose store has gone back: that is the stores' own
 * matter, and only Redis can go back.
 */
async function noteEnds(store: Store, epochs: Map<string, number>): Promise<void> {
  const ends = await store.logs.ends(filterNames);
  for (const [index, filter] of filterNames.entries()) epochs.set(endOf(filter), ends[index]);
}

async function outcome(call: Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } catch (error) {
    return (error as { code?: string }).code ?? error;
  }
}

async function everything(store: Store, now: number): Promise<unknown> {
  const logs = await Promise.all(
    ['a', 'b', 'a/#'].map(async (filter) => {
      const { firstSequence, lastSequence } = await store.logs.read(filter, 1, 1, 1, now);
      return [filter, firstSequence, lastSequence, await logOf(store, filter, now)];
    }),
  );
  return {
    logs,
    filters: await filtersOf(store),
    groups: await groupsOf(store),
    owners: (await store.sessions.owners()).sort(),
    sessions: await store.sessions.count(),
    retained: [await store.retained.count(), await retainedTopics(store, '#', 1)],
    // Not within a turn: a session that ends in it may be due until its end is answered.
    due: await nextDue(store, now),
  };
}

async function groupsOf(store: Store): Promise<unknown> {
  const known = (await store.groups.list()).sort((a, b) => (a.group < b.group ? -1 : 1));
  return Promise.all(
    known.map(async (one) => [
      one,
      (await store.groups.reservations(one.group)).sort((a, b) => a.sequence - b.sequence),
    ]),
  );
}

function joinGroup([clientId, group, qos]: [string, string, number]): { name: string; call: Call } {
  return named(`join ${group} with QoS ${qos}`, (store, epochs) =>
    store.sessions.subscribe(keyOf(epochs, clientId), [subscription(group, qos as 0 | 1 | 2)]),
  );
}

function claimGroup(group: string): { name: string; call: Call } {
  return named(`claim ${group}`, async (store, epochs) => {
    const { epoch, cursor, reservations } = await store.groups.claim(group);
    if (epoch <= (epochs.get(group) ?? 0)) throw new Error('the epoch did not grow');
    epochs.set(group, epoch);
    return { cursor, reservations: reservations.sort((a, b) => a.sequence - b.sequence) };
  });
}

function updateGroup([group, sequence, old]: [string, number, boolean]): { name: string; call: Call } {
  return named(`update ${group}`, (store, epochs) => {
    const key = { group, epoch: (epochs.get(group) ?? 0) - (old ? 1 : 0) };
    const filter = group.slice(group.lastIndexOf('/') + 1);
    const acknowledged = Math.min(sequence, epochs.get(endOf(filter)) ?? 0);
    const cursor = { acknowledged, above: [sequence + 2, sequence + 4], failed: [sequence + 1, 2] };
    return store.groups.update(key, { cursor, reservationsDelete: [sequence] });
  });
}

function named(name: string, call: Call): { name: string; call: Call } {
  return { name, call };
}

function claim([clientId, owner, cleanStart, sessionExpirySeconds]: [string, string, boolean, number]): {
  name: string;
  call: Call;
} {
  return named(`claim ${clientId} ${sessionExpirySeconds} ${cleanStart}`, async (store, epochs, now) => {
    const given: Claim = await store.sessions.claim({ clientId, owner, cleanStart, sessionExpirySeconds }, now);
    if (given.epoch <= (epochs.get(clientId) ?? 0)) throw new Error('the epoch did not grow');
    epochs.set(clientId, given.epoch);
    const { previousOwner, session, will } = given;
    return {
      previousOwner,
      session: session && comparable(session),
      will: will && [will.clientId, will.owner, text(will.record), will.dueAt],
    };
  });
}

function append([names, clientId, number, expires, packetId]: [string[], string, number | null, boolean, number]): {
  name: string;
  call: Call;
} {
  return named(`append to ${names} as ${number}`, (store, epochs, now) => {
    const producer = number === null ? null : { clientId, number };
    const inbound = number === null ? null : { key: keyOf(epochs, clientId), packetId, digest: -packetId };
    return store.logs.append(
      [message(names, 'message', { producer, inbound, expiresAt: expires ? now + 1000 : Infinity })],
      now,
    );
  });
}

/** A batch given twice: at once, or the second time after other calls. */
function repeat([names, producers, later]: [string[][], number, boolean]): { name: string; call: Call } {
  return named(`append twice to ${names}`, async (store, epochs, now) => {
    const origin = { writer: `writer ${++writers}`, batch: 1 };
    const key = keyOf(epochs, 'c');
    const requests = names.map((filterNames, index) => {
      if (index >= producers) return message(filterNames, 'again');
      const number = index + 1;
      return message(filterNames, 'again', {
        producer: { clientId: 'c', number },
        inbound: { key, packetId: number, digest: -number },
      });
    });
    const append = () => store.logs.append(requests, now, origin);
    if (!later) return Promise.all([append(), append()]);
    return [await append(), await append()];
  });
}

let writers = 0;

function cursorAt(filter: string, acknowledged: number): Cursor {
  return { filter, acknowledged, above: [acknowledged + 2] };
}

function keyOf(epochs: Map<string, number>, clientId: string, old = false): { clientId: string; epoch: number } {
  const epoch = epochs.get(clientId) ?? 0;
  return { clientId, epoch: old ? epoch - 1 : epoch };
}
