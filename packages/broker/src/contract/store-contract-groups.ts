import { describe, expect, it } from 'vitest';
import type { DurableGroup, GroupReservation } from '../ports/group-store.ts';
import type { SessionKey } from '../ports/session-key.ts';
import {
  connect,
  durable,
  filtersOf,
  type GroupsUnderTest,
  logOf,
  look,
  message,
  now,
  type StoreUnderTest,
  subscription,
} from './store-contract-kit.ts';

const group = '$share/g/a';
const noLimits = { messagesMax: 1e9, bytesMax: 1e12 };
const nothing = { above: [], failed: [] };

async function groupsOf(store: GroupsUnderTest): Promise<DurableGroup[]> {
  return (await store.groups.list()).sort((a, b) => (a.group < b.group ? -1 : 1));
}

async function reservationsOf(store: GroupsUnderTest, name = group): Promise<GroupReservation[]> {
  return (await store.groups.reservations(name)).sort((a, b) => a.sequence - b.sequence);
}

function reservation(sequence: number, clientId: string, isFinal = false): GroupReservation {
  return { sequence, clientId, isFinal };
}

function append(store: GroupsUnderTest, count: number, filter = 'a'): Promise<unknown> {
  return store.logs.append(
    Array.from({ length: count }, (_, index) => message([filter], `${index}`)),
    now,
  );
}

export function groupContract(opened: StoreUnderTest<GroupsUnderTest>): void {
  describe('shared groups', () => {
    it('begin with a cursor at the end of the log, which stays where it is for more members', async () => {
      const { store } = opened;
      await durable(store, 'x', 'a');
      await append(store, 2);
      const c = await durable(store, 'c');
      expect(await store.sessions.subscribe(c, [subscription(group)])).toEqual([{ filter: group, lastSequence: 2 }]);
      await append(store, 1);
      const d = await durable(store, 'd');
      expect(await store.sessions.subscribe(d, [subscription(group, 2)])).toEqual([{ filter: group, lastSequence: 3 }]);
      await store.sessions.subscribe(c, [subscription(group)]);
      expect(await groupsOf(store)).toEqual([{ group, acknowledged: 2 }]);
      const { epoch, cursor, reservations } = await store.groups.claim(group);
      expect(epoch).toBeGreaterThan(0);
      expect({ cursor, reservations }).toEqual({ cursor: { acknowledged: 2, ...nothing }, reservations: [] });
      expect((await look(store, 'c'))?.cursors).toEqual([]);
      expect((await look(store, 'c'))?.subscriptions).toEqual([subscription(group)]);
    });

    it('make their filter durable, from the first member to the last', async () => {
      const { store } = opened;
      const c = await durable(store, 'c', group);
      const d = await durable(store, 'd', group, '$share/h/a');
      expect(await filtersOf(store)).toEqual(['a 0']);
      expect(await store.logs.append([message(['a'], 'm')], now)).toEqual([[1]]);
      await store.sessions.unsubscribe(c, [group]);
      await store.sessions.unsubscribe(c, [group]);
      expect(await groupsOf(store)).toEqual([
        { group, acknowledged: 0 },
        { group: '$share/h/a', acknowledged: 0 },
      ]);
      await store.sessions.subscribe(d, [subscription(group, 0)]);
      expect((await groupsOf(store)).map((one) => one.group)).toEqual(['$share/h/a']);
      await store.sessions.unsubscribe(d, ['$share/h/a']);
      expect(await groupsOf(store)).toEqual([]);
      expect(await filtersOf(store)).toEqual([]);
      expect(await store.logs.append([message(['a'], 'm')], now)).toEqual([[0]]);
    });

    it.each([
      ['a claim with a clean start', (store: GroupsUnderTest) => connect(store, 'c', { clean: true })],
      ['its deletion', (store: GroupsUnderTest) => store.sessions.delete('c')],
      ['its expiry', (store: GroupsUnderTest) => store.sessions.expire(now + 3_600_000, 10)],
      [
        'its release without expiry',
        (store: GroupsUnderTest, key: SessionKey) => store.sessions.release(key, { sessionExpirySeconds: 0 }, now),
      ],
    ])('end with the session of the last member: %s', async (how, end) => {
      const { store } = opened;
      const c = await durable(store, 'c', group);
      const d = await durable(store, 'd', group);
      if (how === 'its expiry') await store.sessions.release(c, {}, now);
      await end(store, c);
      expect(await groupsOf(store)).toEqual([{ group, acknowledged: 0 }]);
      expect(await filtersOf(store)).toEqual(['a 0']);
      await store.sessions.unsubscribe(d, [group]);
      expect(await groupsOf(store)).toEqual([]);
      expect(await filtersOf(store)).toEqual([]);
    });

    it('fence an older leader, also when the group has ended and begun again', async () => {
      const { store } = opened;
      const c = await durable(store, 'c', group);
      await append(store, 3);
      const first = await store.groups.claim(group);
      const second = await store.groups.claim(group);
      expect(second.epoch).toBeGreaterThan(first.epoch);
      const cursor = { acknowledged: 1, above: [3, 3], failed: [2, 7] };
      await expect(store.groups.update({ group, epoch: first.epoch }, { cursor })).rejects.toMatchObject({
        code: 'fenced',
      });
      await store.groups.update({ group, epoch: second.epoch }, { cursor });
      await store.groups.update({ group, epoch: second.epoch }, { cursor });
      expect((await store.groups.claim(group)).cursor).toEqual(cursor);
      await store.sessions.unsubscribe(c, [group]);
      const gone = store.groups.update({ group, epoch: second.epoch }, { cursor });
      await expect(gone).rejects.toMatchObject({ code: 'unknown-group' });
      await expect(store.groups.claim(group)).rejects.toMatchObject({ code: 'unknown-group' });
      await store.sessions.subscribe(c, [subscription(group)]);
      const late = store.groups.update({ group, epoch: second.epoch }, { cursor });
      await expect(late).rejects.toMatchObject({ code: 'fenced' });
      const again = await store.groups.claim(group);
      expect(again.epoch).toBeGreaterThan(second.epoch);
      expect(again.cursor).toEqual({ acknowledged: 3, ...nothing });
    });

    it('hold the log until their cursor has passed', async () => {
      const { store } = opened;
      const c = await durable(store, 'c', group, 'a');
      await append(store, 4);
      await store.sessions.update(c, { cursors: [{ filter: 'a', acknowledged: 4, above: [] }] });
      expect(await store.logs.trim(noLimits, now)).toBe(0);
      expect(await logOf(store, 'a')).toHaveLength(4);
      const { epoch } = await store.groups.claim(group);
      await store.groups.update({ group, epoch }, { cursor: { acknowledged: 3, above: [], failed: [] } });
      await store.logs.trim(noLimits, now);
      expect(await logOf(store, 'a')).toEqual(['4 3']);
      await store.sessions.unsubscribe(c, [group]);
      await store.logs.trim(noLimits, now);
      expect(await logOf(store, 'a')).toEqual([]);
    });

    it('give each number to one client, while its leader leads', async () => {
      const { store } = opened;
      await durable(store, 'c', group);
      const { epoch } = await store.groups.claim(group);
      const key = { group, epoch };
      expect(await store.groups.reserve(key, [reservation(1, 'c'), reservation(2, 'd'), reservation(1, 'd')])).toEqual([
        true,
        true,
        false,
      ]);
      expect(await store.groups.reserve(key, [reservation(1, 'c'), reservation(1, 'd', true)])).toEqual([true, false]);
      const next = await store.groups.claim(group);
      expect(next.reservations.sort((a, b) => a.sequence - b.sequence)).toEqual([
        reservation(1, 'c'),
        reservation(2, 'd'),
      ]);
      // A client makes the reservation of an older leader final; nothing new is reserved.
      expect(await store.groups.reserve(key, [reservation(1, 'c', true), reservation(3, 'c')])).toEqual([true, false]);
      expect(await store.groups.reserve(key, [reservation(1, 'c')])).toEqual([true]);
      // With the epoch of another leader it is another message to the same client.
      const other = { group, epoch: next.epoch };
      expect(
        await store.groups.reserve(other, [reservation(1, 'c'), reservation(1, 'c', true), reservation(2, 'd')]),
      ).toEqual([false, false, false]);
      expect(await reservationsOf(store)).toEqual([reservation(1, 'c', true), reservation(2, 'd')]);
      // The client itself knows that it has the message.
      expect(
        await store.groups.reserve({ group, epoch: 0 }, [reservation(2, 'c', true), reservation(2, 'd', true)]),
      ).toEqual([false, false]);
      expect(await reservationsOf(store)).toEqual([reservation(1, 'c', true), reservation(2, 'd', true)]);
      await store.groups.update({ group, epoch: next.epoch }, { reservationsDelete: [1, 9] });
      expect(await reservationsOf(store)).toEqual([reservation(2, 'd', true)]);
      expect(await store.groups.reserve({ group, epoch: next.epoch }, [reservation(1, 'e', true)])).toEqual([true]);
      expect(await store.groups.reserve({ group: '$share/none/a', epoch }, [reservation(1, 'c')])).toEqual([false]);
      expect(await store.groups.reservations('$share/none/a')).toEqual([]);
    });

    it('make the reservations of a member final when it leaves', async () => {
      const { store } = opened;
      const c = await durable(store, 'c', group);
      await durable(store, 'd', group);
      const e = await durable(store, 'e', group);
      const { epoch } = await store.groups.claim(group);
      await store.groups.reserve({ group, epoch }, [
        reservation(1, 'c'),
        reservation(2, 'd'),
        reservation(3, 'e'),
        reservation(4, 'c'),
      ]);
      await store.sessions.unsubscribe(c, [group]);
      expect(await reservationsOf(store)).toEqual([
        reservation(1, 'c', true),
        reservation(2, 'd'),
        reservation(3, 'e'),
        reservation(4, 'c', true),
      ]);
      await store.sessions.delete('d');
      await store.sessions.release(e, {}, now);
      expect(await reservationsOf(store)).toEqual([
        reservation(1, 'c', true),
        reservation(2, 'd', true),
        reservation(3, 'e'),
        reservation(4, 'c', true),
      ]);
    });

    it('are kept apart, whatever they are called', async () => {
      const { store } = opened;
      const long = 'f'.repeat(60_000);
      const names = ['$share/g/a', '$share/h/a', '$share/g/a/#', '$share/g//', '$share/ä/a', `$share/g/${long}`];
      await durable(store, 'c', ...names);
      await durable(store, '$share/g/a', 'a');
      for (const [index, name] of names.entries()) {
        const { epoch } = await store.groups.claim(name);
        await store.groups.reserve({ group: name, epoch }, [reservation(index, '$share/g/a')]);
      }
      for (const [index, name] of names.entries()) {
        expect(await reservationsOf(store, name)).toEqual([reservation(index, '$share/g/a')]);
      }
      expect((await groupsOf(store)).map((one) => one.group)).toEqual([...names].sort());
    });

    it('are kept over close and open', async (context) => {
      if (opened.reopen === undefined) return context.skip('nothing is left behind by this store');
      const { store } = opened;
      await durable(store, 'c', group);
      const { epoch } = await store.groups.claim(group);
      const cursor = { acknowledged: 4, above: [6, 9, 12, 2 ** 50], failed: [5, 1, 10, 3] };
      await store.groups.update({ group, epoch }, { cursor });
      await store.groups.reserve({ group, epoch }, [reservation(5, 'c'), reservation(10, 'é', true)]);
      const again = await opened.reopen();
      expect(await groupsOf(again)).toEqual([{ group, acknowledged: 4 }]);
      const claim = await again.groups.claim(group);
      expect(claim.epoch).toBeGreaterThan(epoch);
      expect(claim.cursor).toEqual(cursor);
      expect(await reservationsOf(again)).toEqual([reservation(5, 'c'), reservation(10, 'é', true)]);
    });
  });
}
