import { describe, expect, it } from 'vitest';
import type { DurableGroup, GroupReservation, SessionKey, Store } from '../ports/store.ts';
import {
  connect,
  durable,
  filtersOf,
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

async function groupsOf(store: Store): Promise<DurableGroup[]> {
  return (await store.durableGroups()).sort((a, b) => (a.group < b.group ? -1 : 1));
}

async function reservationsOf(store: Store, name = group): Promise<GroupReservation[]> {
  return (await store.groupReservations(name)).sort((a, b) => a.sequence - b.sequence);
}

function reservation(sequence: number, clientId: string, isFinal = false): GroupReservation {
  return { sequence, clientId, isFinal };
}

function append(store: Store, count: number, filter = 'a'): Promise<unknown> {
  return store.append(
    Array.from({ length: count }, (_, index) => message([filter], `${index}`)),
    now,
  );
}

export function groupContract(opened: StoreUnderTest): void {
  describe('shared groups', () => {
    it('begin with a cursor at the end of the log, which stays where it is for more members', async () => {
      const { store } = opened;
      await durable(store, 'x', 'a');
      await append(store, 2);
      const c = await durable(store, 'c');
      expect(await store.subscribe(c, [subscription(group)])).toEqual([{ filter: group, lastSequence: 2 }]);
      await append(store, 1);
      const d = await durable(store, 'd');
      expect(await store.subscribe(d, [subscription(group, 2)])).toEqual([{ filter: group, lastSequence: 3 }]);
      await store.subscribe(c, [subscription(group)]);
      expect(await groupsOf(store)).toEqual([{ group, acknowledged: 2 }]);
      const { epoch, cursor, reservations } = await store.claimGroup(group);
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
      expect(await store.append([message(['a'], 'm')], now)).toEqual([[1]]);
      await store.unsubscribe(c, [group]);
      await store.unsubscribe(c, [group]);
      expect(await groupsOf(store)).toEqual([
        { group, acknowledged: 0 },
        { group: '$share/h/a', acknowledged: 0 },
      ]);
      await store.subscribe(d, [subscription(group, 0)]);
      expect((await groupsOf(store)).map((one) => one.group)).toEqual(['$share/h/a']);
      await store.unsubscribe(d, ['$share/h/a']);
      expect(await groupsOf(store)).toEqual([]);
      expect(await filtersOf(store)).toEqual([]);
      expect(await store.append([message(['a'], 'm')], now)).toEqual([[0]]);
    });

    it.each([
      ['a claim with a clean start', (store: Store) => connect(store, 'c', { clean: true })],
      ['its deletion', (store: Store) => store.deleteSession('c')],
      ['its expiry', (store: Store) => store.expireSessions(now + 3_600_000, 10)],
      [
        'its release without expiry',
        (store: Store, key: SessionKey) => store.release(key, { sessionExpirySeconds: 0 }, now),
      ],
    ])('end with the session of the last member: %s', async (how, end) => {
      const { store } = opened;
      const c = await durable(store, 'c', group);
      const d = await durable(store, 'd', group);
      if (how === 'its expiry') await store.release(c, {}, now);
      await end(store, c);
      expect(await groupsOf(store)).toEqual([{ group, acknowledged: 0 }]);
      expect(await filtersOf(store)).toEqual(['a 0']);
      await store.unsubscribe(d, [group]);
      expect(await groupsOf(store)).toEqual([]);
      expect(await filtersOf(store)).toEqual([]);
    });

    it('fence an older leader, also when the group has ended and begun again', async () => {
      const { store } = opened;
      const c = await durable(store, 'c', group);
      await append(store, 3);
      const first = await store.claimGroup(group);
      const second = await store.claimGroup(group);
      expect(second.epoch).toBeGreaterThan(first.epoch);
      const cursor = { acknowledged: 1, above: [3, 3], failed: [2, 7] };
      await expect(store.updateGroup({ group, epoch: first.epoch }, { cursor })).rejects.toMatchObject({
        code: 'fenced',
      });
      await store.updateGroup({ group, epoch: second.epoch }, { cursor });
      await store.updateGroup({ group, epoch: second.epoch }, { cursor });
      expect((await store.claimGroup(group)).cursor).toEqual(cursor);
      await store.unsubscribe(c, [group]);
      const gone = store.updateGroup({ group, epoch: second.epoch }, { cursor });
      await expect(gone).rejects.toMatchObject({ code: 'unknown-group' });
      await expect(store.claimGroup(group)).rejects.toMatchObject({ code: 'unknown-group' });
      await store.subscribe(c, [subscription(group)]);
      const late = store.updateGroup({ group, epoch: second.epoch }, { cursor });
      await expect(late).rejects.toMatchObject({ code: 'fenced' });
      const again = await store.claimGroup(group);
      expect(again.epoch).toBeGreaterThan(second.epoch);
      expect(again.cursor).toEqual({ acknowledged: 3, ...nothing });
    });

    it('hold the log until their cursor has passed', async () => {
      const { store } = opened;
      const c = await durable(store, 'c', group, 'a');
      await append(store, 4);
      await store.update(c, { cursors: [{ filter: 'a', acknowledged: 4, above: [] }] });
      expect(await store.trimLogs(noLimits, now)).toBe(0);
      expect(await logOf(store, 'a')).toHaveLength(4);
      const { epoch } = await store.claimGroup(group);
      await store.updateGroup({ group, epoch }, { cursor: { acknowledged: 3, above: [], failed: [] } });
      await store.trimLogs(noLimits, now);
      expect(await logOf(store, 'a')).toEqual(['4 3']);
      await store.unsubscribe(c, [group]);
      await store.trimLogs(noLimits, now);
      expect(await logOf(store, 'a')).toEqual([]);
    });

    it('give each number to one client, while its leader leads', async () => {
      const { store } = opened;
      await durable(store, 'c', group);
      const { epoch } = await store.claimGroup(group);
      const key = { group, epoch };
      expect(await store.reserveMessages(key, [reservation(1, 'c'), reservation(2, 'd'), reservation(1, 'd')])).toEqual(
        [true, true, false],
      );
      expect(await store.reserveMessages(key, [reservation(1, 'c'), reservation(1, 'd', true)])).toEqual([true, false]);
      const next = await store.claimGroup(group);
      expect(next.reservations.sort((a, b) => a.sequence - b.sequence)).toEqual([
        reservation(1, 'c'),
        reservation(2, 'd'),
      ]);
      // A client makes the reservation of an older leader final; nothing new is reserved.
      expect(await store.reserveMessages(key, [reservation(1, 'c', true), reservation(3, 'c')])).toEqual([true, false]);
      expect(await store.reserveMessages(key, [reservation(1, 'c')])).toEqual([true]);
      // With the epoch of another leader it is another message to the same client.
      const other = { group, epoch: next.epoch };
      expect(
        await store.reserveMessages(other, [reservation(1, 'c'), reservation(1, 'c', true), reservation(2, 'd')]),
      ).toEqual([false, false, false]);
      expect(await reservationsOf(store)).toEqual([reservation(1, 'c', true), reservation(2, 'd')]);
      // The client itself knows that it has it.
      expect(
        await store.reserveMessages({ group, epoch: 0 }, [reservation(2, 'c', true), reservation(2, 'd', true)]),
      ).toEqual([false, false]);
      expect(await reservationsOf(store)).toEqual([reservation(1, 'c', true), reservation(2, 'd', true)]);
      await store.updateGroup({ group, epoch: next.epoch }, { reservationsDelete: [1, 9] });
      expect(await reservationsOf(store)).toEqual([reservation(2, 'd', true)]);
      expect(await store.reserveMessages({ group, epoch: next.epoch }, [reservation(1, 'e', true)])).toEqual([true]);
      expect(await store.reserveMessages({ group: '$share/none/a', epoch }, [reservation(1, 'c')])).toEqual([false]);
      expect(await store.groupReservations('$share/none/a')).toEqual([]);
    });

    it('make the reservations of a member final when it leaves', async () => {
      const { store } = opened;
      const c = await durable(store, 'c', group);
      await durable(store, 'd', group);
      const e = await durable(store, 'e', group);
      const { epoch } = await store.claimGroup(group);
      await store.reserveMessages({ group, epoch }, [
        reservation(1, 'c'),
        reservation(2, 'd'),
        reservation(3, 'e'),
        reservation(4, 'c'),
      ]);
      await store.unsubscribe(c, [group]);
      expect(await reservationsOf(store)).toEqual([
        reservation(1, 'c', true),
        reservation(2, 'd'),
        reservation(3, 'e'),
        reservation(4, 'c', true),
      ]);
      await store.deleteSession('d');
      await store.release(e, {}, now);
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
        const { epoch } = await store.claimGroup(name);
        await store.reserveMessages({ group: name, epoch }, [reservation(index, '$share/g/a')]);
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
      const { epoch } = await store.claimGroup(group);
      const cursor = { acknowledged: 4, above: [6, 9, 12, 2 ** 50], failed: [5, 1, 10, 3] };
      await store.updateGroup({ group, epoch }, { cursor });
      await store.reserveMessages({ group, epoch }, [reservation(5, 'c'), reservation(10, 'é', true)]);
      const again = await opened.reopen();
      expect(await groupsOf(again)).toEqual([{ group, acknowledged: 4 }]);
      const claim = await again.claimGroup(group);
      expect(claim.epoch).toBeGreaterThan(epoch);
      expect(claim.cursor).toEqual(cursor);
      expect(await reservationsOf(again)).toEqual([reservation(5, 'c'), reservation(10, 'é', true)]);
    });
  });
}
