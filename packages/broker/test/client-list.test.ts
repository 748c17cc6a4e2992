import { expect, test } from 'vitest';
import type { ClientListQuery } from '../src/ports/client-record.ts';
import { ClientList } from '../src/queries/client-list.ts';
import { NamePattern } from '../src/queries/name-pattern.ts';
import type { Session } from '../src/session/session.ts';

const all: ClientListQuery = { kind: 'clients', after: null, limit: 1000, clientId: '', userName: '', address: '' };

/** Sessions in no order, as far as a list looks at them. */
function sessionsOf(count: number): Map<string, Session> {
  const sessions = new Map<string, Session>();
  for (let n = 0; n < count; n++) {
    const clientId = `c-${((n * 7919) % count).toString(36).padStart(5, '0')}`;
    const connection = {
      ...{ version: 5, connectedAt: 0, keepAliveSeconds: 60, remoteAddress: `10.0.${n % 4}.1:${n}` },
      ...{ signIn: { userName: n % 2 === 0 ? 'even' : null }, transport: { listener: 'tcp' } },
    };
    const session = {
      ...{ clientId, connection, expirySeconds: 0, hasSubscriptions: false, outbound: null, waiting: null },
      outlet: { output: { pendingBytes: 0 } },
    };
    sessions.set(clientId, session as unknown as Session);
  }
  return sessions;
}

/** A list whose turns of the event loop are measured. */
function listOf(sessions: Map<string, Session>) {
  let begun = performance.now();
  const turns: number[] = [];
  const nextTurn = (callback: () => void): void => {
    turns.push(performance.now() - begun);
    setImmediate(() => {
      begun = performance.now();
      callback();
    });
  };
  const clock = { now: () => 0, every: () => () => undefined, nextTurn };
  const list = new ClientList({
    clock,
    sessions: { get: (clientId) => sessions.get(clientId), all: () => sessions.values() },
  });
  const page = (query: ClientListQuery) => {
    begun = performance.now();
    return list.page(query);
  };
  return { page, turns };
}

async function whole(list: ReturnType<typeof listOf>, query: ClientListQuery): Promise<string[]> {
  const found: string[] = [];
  for (let after: string | null = null; ; ) {
    const { clients, hasMore } = await list.page({ ...query, after });
    found.push(...clients.map(({ clientId }) => clientId));
    if (!hasMore) return found;
    after = found[found.length - 1];
  }
}

test('pages of all clients, in order, each once, whatever the length of a page', async () => {
  const sessions = sessionsOf(10_007);
  const names = [...sessions.keys()].sort();
  for (const limit of [1000, 333]) expect(await whole(listOf(sessions), { ...all, limit })).toEqual(names);
  const few = sessionsOf(3);
  expect(await whole(listOf(few), { ...all, limit: 3 })).toEqual([...few.keys()].sort());
  expect(await whole(listOf(new Map()), all)).toEqual([]);
});

test('clients that go while it is read are left out, and those that stay are there', async () => {
  const sessions = sessionsOf(5000);
  const names = [...sessions.keys()].sort();
  const list = listOf(sessions);
  const first = await list.page({ ...all, limit: 100 });
  for (const name of names.slice(50, 150)) sessions.delete(name);
  const { clients } = await list.page({ ...all, limit: 100, after: first.clients[99].clientId });
  expect(clients.map(({ clientId }) => clientId)).toEqual(names.slice(150, 250));
});

test('filters: identifier with *, user, beginning of the address', async () => {
  const sessions = sessionsOf(400);
  const ofAll = (query: Partial<ClientListQuery>) => whole(listOf(sessions), { ...all, ...query });
  const where = (matches: (session: Session) => boolean) =>
    [...sessions.values()]
      .filter(matches)
      .map(({ clientId }) => clientId)
      .sort();
  expect(await ofAll({ clientId: 'c-000*a' })).toEqual(where(({ clientId }) => /^c-000.*a$/.test(clientId)));
  const even = await ofAll({ userName: 'even' });
  expect(even.length).toBe(200);
  const addressed = await ofAll({ address: '10.0.3.', userName: '' });
  expect(addressed.length).toBe(100);
});

test('100,000 clients: no turn of the event loop is long', async () => {
  const list = listOf(sessionsOf(100_000));
  await whole(list, all); // once for the compiler
  list.turns.length = 0;
  const { clients } = await list.page({ ...all, limit: 1000 });
  expect(clients.length).toBe(1000);
  const sorted = list.turns.sort((one, other) => one - other);
  expect(sorted.length).toBeGreaterThan(20);
  // The median: a busy machine may take any one of them away for longer.
  expect(sorted[sorted.length >> 1]).toBeLessThan(10);
});

test('a pattern never walks a name more than once', () => {
  const long = 'a'.repeat(60_000);
  expect(new NamePattern(`${'*a'.repeat(1000)}*b`).matches(long)).toBe(false);
  for (const [pattern, name, expected] of [
    ['*', '', true],
    ['a*', 'abc', true],
    ['*c', 'abc', true],
    ['a*c', 'ac', true],
    ['a*a', 'a', false],
    ['a*b*c', 'axxbyyc', true],
    ['a*b*c', 'acb', false],
    ['abc', 'abc', true],
    ['ab', 'abc', false],
    ['a.c', 'abc', false],
    ['*bc*c', 'abc', false],
  ] as const)
    expect(new NamePattern(pattern).matches(name), `${pattern} ${name}`).toBe(expected);
});
