import { describe, expect, it } from 'vitest';
import {
  bytes,
  connect,
  durable,
  filtersOf,
  logOf,
  look,
  message,
  now,
  otherOwner,
  outbound,
  owner,
  type StoreUnderTest,
  subscription,
} from './store-contract-kit.ts';

const fenced = { code: 'fenced' };
const unknown = { code: 'unknown-session' };

export function sessionContract(opened: StoreUnderTest): void {
  describe('claims', () => {
    for (const expiry of [0, 3600]) {
      it(`gives a later epoch to every claim, session expiry ${expiry}`, async () => {
        const { store } = opened;
        const first = await connect(store, 'c', { expiry });
        const second = await connect(store, 'c', { expiry, owner: otherOwner });
        expect(first).toMatchObject({ previousOwner: '', session: null, will: null });
        expect(second.previousOwner).toBe(owner);
        expect(second.epoch).toBeGreaterThan(first.epoch);
        await store.sessions.release({ clientId: 'c', epoch: second.epoch }, {}, now);
        const third = await connect(store, 'c', { expiry });
        expect(third.previousOwner).toBe('');
        expect(third.epoch).toBeGreaterThan(second.epoch);
      });

      it(`ignores the release of an older epoch, session expiry ${expiry}`, async () => {
        const { store } = opened;
        const first = await connect(store, 'c', { expiry });
        const second = await connect(store, 'c', { expiry, owner: otherOwner });
        await store.sessions.release({ clientId: 'c', epoch: first.epoch }, { sessionExpirySeconds: 0 }, now);
        const third = await connect(store, 'c', { expiry });
        expect(third.previousOwner).toBe(otherOwner);
        await store.sessions.release({ clientId: 'c', epoch: second.epoch }, {}, now);
        expect((await connect(store, 'c', { expiry })).previousOwner).toBe(owner);
      });
    }

    it('keeps client identifiers apart, whatever they are made of', async () => {
      const { store } = opened;
      const long = 'x'.repeat(65_534);
      const names = ['', 'a', 'A', 'a\u0001', 'a b', 'ä', '{a}', 'a:b', `${long}a`, `${long}b`];
      const epochs: number[] = [];
      for (const name of names) epochs.push((await durable(store, name, `of/${names.indexOf(name)}`)).epoch);
      expect(await store.sessions.count()).toBe(names.length);
      for (const [index, name] of names.entries()) {
        const { epoch, session } = await connect(store, name);
        expect(epoch).toBeGreaterThan(epochs[index]);
        expect(session?.clientId).toBe(name);
        expect(session?.subscriptions.map(({ filter }) => filter)).toEqual([`of/${index}`]);
      }
    });

    it('orders claims made in one turn', async () => {
      const { store } = opened;
      const owners = Array.from({ length: 20 }, (_, index) => `n/${index}#1`);
      const claims = await Promise.all(
        owners.map((each, index) => connect(store, 'c', { owner: each, expiry: index % 3 === 0 ? 0 : 60 })),
      );
      expect(claims.map(({ previousOwner }) => previousOwner)).toEqual(['', ...owners.slice(0, -1)]);
      const epochs = claims.map(({ epoch }) => epoch);
      expect(epochs).toEqual(epochs.toSorted((a, b) => a - b));
      expect(new Set(epochs).size).toBe(owners.length);
    });

    it('stores nothing for a session expiry of 0', async () => {
      const { store } = opened;
      const { epoch } = await connect(store, 'c', { expiry: 0 });
      const key = { clientId: 'c', epoch };
      expect(await store.sessions.count()).toBe(0);
      await expect(store.sessions.subscribe(key, [subscription('a')])).rejects.toMatchObject(unknown);
      await expect(store.sessions.update(key, { sessionExpirySeconds: 5 })).rejects.toMatchObject(unknown);
      await store.sessions.release(key, { sessionExpirySeconds: 5 }, now);
      expect((await connect(store, 'c')).session).toBeNull();
    });

    it('returns a stored session to a claim with session expiry 0, and ends it with the connection', async () => {
      const { store } = opened;
      await durable(store, 'c', 'a');
      const { epoch, session } = await connect(store, 'c', { expiry: 0 });
      expect(session?.cursors).toEqual([{ filter: 'a', acknowledged: 0, above: [] }]);
      expect(await filtersOf(store)).toEqual(['a 0']);
      await store.sessions.release({ clientId: 'c', epoch }, {}, now);
      expect(await filtersOf(store)).toEqual([]);
      expect(await store.sessions.count()).toBe(0);
    });

    it('removes the stored session with cleanStart', async () => {
      const { store } = opened;
      await durable(store, 'c', 'a', 'b');
      await durable(store, 'd', 'b');
      const { session, previousOwner } = await connect(store, 'c', { clean: true });
      expect(session).toBeNull();
      expect(previousOwner).toBe(owner);
      expect(await filtersOf(store)).toEqual(['b 0']);
      expect(await look(store, 'c')).toMatchObject({ subscriptions: [], cursors: [] });
    });

    it('lists owners, and voids the claims of one', async () => {
      const { store } = opened;
      await connect(store, 'ephemeral', { expiry: 0 });
      await connect(store, 'brief', { expiry: 0, owner: otherOwner });
      const { epoch } = await connect(store, 'durable', { expiry: 10 });
      await connect(store, 'other', { owner: otherOwner });
      expect((await store.sessions.owners()).sort()).toEqual([owner, otherOwner]);
      await store.sessions.releaseOwner(owner, now);
      await store.sessions.releaseOwner(owner, now + 1);
      expect(await store.sessions.owners()).toEqual([otherOwner]);
      expect((await connect(store, 'ephemeral', { expiry: 0 })).previousOwner).toBe('');
      expect((await connect(store, 'brief', { expiry: 0 })).previousOwner).toBe(otherOwner);
      expect(await store.sessions.expire(now + 9_999, 10)).toEqual([]);
      const again = await connect(store, 'durable', { at: now + 9_999 });
      expect(again).toMatchObject({ previousOwner: '', session: { expiresAt: now + 10_000 } });
      expect(again.epoch).toBeGreaterThan(epoch);
    });

    it('releases an owner of very many', async () => {
      const { store } = opened;
      const names = Array.from({ length: 1500 }, (_, index) => `c${index}`);
      await Promise.all(names.map((name, index) => connect(store, name, { expiry: index % 2 === 0 ? 0 : 60 })));
      await store.sessions.releaseOwner(owner, now);
      expect(await store.sessions.owners()).toEqual([]);
      expect((await store.sessions.expire(now + 60_000, 10_000)).length).toBe(750);
    });
  });

  describe('sessions', () => {
    it('refuses an older epoch, without effect', async () => {
      const { store } = opened;
      const old = await durable(store, 'c', 'a');
      const current = await durable(store, 'c');
      await store.sessions.update(current, { outboundSet: [outbound(1, 5)] });
      await expect(store.sessions.update(old, { outboundDelete: [1], sessionExpirySeconds: 1 })).rejects.toMatchObject(
        fenced,
      );
      await expect(store.sessions.subscribe(old, [subscription('b')])).rejects.toMatchObject(fenced);
      await expect(store.sessions.unsubscribe(old, ['a'])).rejects.toMatchObject(fenced);
      await expect(store.wills.set(old, owner, { record: bytes('w'), delaySeconds: 0 })).rejects.toMatchObject(fenced);
      await expect(store.wills.schedule(old, now)).rejects.toMatchObject(fenced);
      expect(
        await store.logs.append([message(['a'], 'm', { inbound: { key: old, packetId: 1, digest: -1 } })], now),
      ).toEqual([[]]);
      const session = await look(store, 'c');
      expect(session?.outbound.map(({ packetId }) => packetId)).toEqual([1]);
      expect(session?.subscriptions.map(({ filter }) => filter)).toEqual(['a']);
      expect(session?.inbound).toEqual([]);
      expect(await logOf(store, 'a')).toEqual([]);
    });

    it('refuses a fenced call alone in its batch', async () => {
      const { store } = opened;
      const old = await durable(store, 'c', 'a');
      await durable(store, 'c');
      const other = await durable(store, 'd', 'a');
      const results = await Promise.allSettled([
        store.logs.append([message(['a'], '1')], now),
        store.sessions.update(old, { sessionExpirySeconds: 9 }),
        store.sessions.update(other, { cursors: [{ filter: 'a', acknowledged: 1, above: [] }] }),
        store.logs.append([message(['a'], '2')], now),
      ]);
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
      expect(await logOf(store, 'a')).toEqual(['1 1', '2 2']);
    });

    it('gives back all that was stored', async () => {
      const { store } = opened;
      const key = await durable(store, 'c');
      const full = {
        filter: 'a/+',
        qos: 2,
        noLocal: true,
        retainAsPublished: true,
        retainHandling: 2,
        subscriptionIdentifier: 268_435_455,
      } as const;
      await store.sessions.subscribe(key, [
        full,
        subscription('b', 1),
        subscription('$share/g/a/+', 1),
        subscription('q0', 0),
      ]);
      await store.logs.append(
        [
          message(['a/+'], 'x', {
            producer: { clientId: 'c', number: 3 },
            inbound: { key, packetId: 65_535, digest: -65_535 },
          }),
        ],
        now,
      );
      await store.sessions.update(key, {
        cursors: [
          { filter: 'a/+', acknowledged: 1, above: [3, 5] },
          { filter: 'never', acknowledged: 1, above: [] },
        ],
        outboundSet: [outbound(65_535, 7), outbound(2, 0), outbound(1, 9)],
      });
      await store.sessions.update(key, {
        outboundSet: [outbound(65_535, 7, 'released')],
        sessionExpirySeconds: 0xffffffff,
      });
      await store.sessions.release(key, { outboundDelete: [1] }, now);
      expect(await look(store, 'c')).toEqual({
        clientId: 'c',
        sessionExpirySeconds: 0xffffffff,
        expiresAt: Infinity,
        subscriptions: [subscription('$share/g/a/+', 1), full, subscription('b', 1), subscription('q0', 0)],
        cursors: [
          { filter: 'a/+', acknowledged: 1, above: [3, 5] },
          { filter: 'b', acknowledged: 0, above: [] },
        ],
        outbound: [outbound(65_535, 7, 'released'), outbound(2, 0)],
        inbound: [{ packetId: 65_535, producerNumber: 3, digest: -65_535 }],
        producerNumber: 3,
      });
    });

    it('keeps outbound messages in the order in which they were added', async () => {
      const { store } = opened;
      const key = await durable(store, 'c');
      const order = [9, 65_535, 1, 300, 2];
      for (const packetId of order) await store.sessions.update(key, { outboundSet: [outbound(packetId, packetId)] });
      await store.sessions.update(key, { outboundSet: [outbound(1, 1, 'released')], outboundDelete: [300] });
      expect((await look(store, 'c'))?.outbound.map(({ packetId }) => packetId)).toEqual([9, 65_535, 1, 2]);
    });

    it('does everything twice as if once', async () => {
      const { store } = opened;
      const key = await durable(store, 'c');
      const twice = async (call: () => Promise<unknown>): Promise<void> => {
        await call();
        await call();
      };
      await twice(() => store.sessions.subscribe(key, [subscription('a'), subscription('b')]));
      await twice(() => store.sessions.unsubscribe(key, ['b', 'unknown']));
      await store.logs.append([message(['a'], 'x')], now);
      await twice(() =>
        store.sessions.update(key, {
          cursors: [{ filter: 'a', acknowledged: 1, above: [] }],
          outboundSet: [outbound(1, 1)],
        }),
      );
      await twice(() => store.sessions.update(key, { outboundDelete: [1], inboundDelete: [1] }));
      await twice(() => store.retained.set('t', bytes('r'), Infinity));
      await twice(() => store.wills.set(key, owner, { record: bytes('w'), delaySeconds: 1 }));
      await twice(() => store.wills.schedule(key, now));
      expect(await store.wills.takeDue(now, 10)).toHaveLength(1);
      await twice(() => store.wills.remove('c', key.epoch));
      await twice(() => store.sessions.release(key, {}, now));
      expect(await filtersOf(store)).toEqual(['a 1']);
      expect(await store.retained.count()).toBe(1);
      expect(await look(store, 'c')).toMatchObject({
        subscriptions: [subscription('a')],
        cursors: [{ filter: 'a', acknowledged: 1, above: [] }],
        outbound: [],
      });
      await twice(() => store.sessions.delete('c'));
      expect(await store.sessions.count()).toBe(0);
      expect(await filtersOf(store)).toEqual([]);
    });

    it('counts durable filters', async () => {
      const { store } = opened;
      const c = await durable(store, 'c', 'a');
      const d = await durable(store, 'd', 'a');
      expect(
        await store.sessions.subscribe(c, [subscription('a'), subscription('n', 0), subscription('$share/g/x', 0)]),
      ).toEqual([
        { filter: 'a', lastSequence: 0 },
        { filter: 'n', lastSequence: 0 },
        { filter: '$share/g/x', lastSequence: 0 },
      ]);
      expect(await filtersOf(store)).toEqual(['a 0']);
      await store.sessions.subscribe(c, [subscription('a', 0)]);
      expect(await filtersOf(store)).toEqual(['a 0']);
      await store.sessions.unsubscribe(c, ['a']);
      expect(await filtersOf(store)).toEqual(['a 0']);
      await store.sessions.subscribe(d, [subscription('a', 0)]);
      expect(await filtersOf(store)).toEqual(['a 0']);
      await store.sessions.endCursors(d, ['a']);
      expect(await filtersOf(store)).toEqual([]);
      expect((await look(store, 'd'))?.cursors).toEqual([]);
      expect((await look(store, 'd'))?.subscriptions).toEqual([subscription('a', 0)]);
    });

    it('places a new cursor at the end of the log and leaves an old one', async () => {
      const { store } = opened;
      const c = await durable(store, 'c', 'a');
      await store.logs.append([message(['a'], '1'), message(['a'], '2')], now);
      const d = await durable(store, 'd');
      expect(await store.sessions.subscribe(d, [subscription('a', 2)])).toEqual([{ filter: 'a', lastSequence: 2 }]);
      await store.sessions.subscribe(c, [subscription('a', 2)]);
      expect((await look(store, 'c'))?.cursors).toEqual([{ filter: 'a', acknowledged: 0, above: [] }]);
      expect((await look(store, 'd'))?.cursors).toEqual([{ filter: 'a', acknowledged: 2, above: [] }]);
    });

    it('expires sessions that are not connected', async () => {
      const { store } = opened;
      for (const [name, expiry] of [
        ['late', 20],
        ['soon', 10],
        ['never', 0xffffffff],
        ['here', 1],
      ] as const) {
        const { epoch } = await connect(store, name, { expiry });
        await store.sessions.subscribe({ clientId: name, epoch }, [subscription(name)]);
        if (name !== 'here') await store.sessions.release({ clientId: name, epoch }, {}, now);
      }
      expect(await store.sessions.expire(now + 9_999, 10)).toEqual([]);
      expect(await store.sessions.expire(now + 20_000, 1)).toEqual(['soon']);
      expect(await store.sessions.expire(now + 20_000, 1)).toEqual(['late']);
      expect(await store.sessions.expire(now + 1e12, 10)).toEqual([]);
      expect(await filtersOf(store)).toEqual(['here 0', 'never 0']);
      expect(await store.sessions.count()).toBe(2);
    });

    it('does not expire a session that was claimed again, nor return one past its expiry', async () => {
      const { store } = opened;
      const first = await connect(store, 'c', { expiry: 10 });
      await store.sessions.release({ clientId: 'c', epoch: first.epoch }, {}, now);
      const second = await connect(store, 'c', { expiry: 10, at: now + 9_999 });
      expect(second.session?.expiresAt).toBe(now + 10_000);
      expect(await store.sessions.expire(now + 60_000, 10)).toEqual([]);
      await store.sessions.subscribe({ clientId: 'c', epoch: second.epoch }, [subscription('a')]);
      await store.sessions.release({ clientId: 'c', epoch: second.epoch }, {}, now);
      const third = await connect(store, 'c', { expiry: 10, at: now + 10_000 });
      expect(third.session).toBeNull();
      expect(third.epoch).toBeGreaterThan(second.epoch);
      expect(await filtersOf(store)).toEqual([]);
    });

    it('ends a session released with session expiry 0', async () => {
      const { store } = opened;
      const key = await durable(store, 'c', 'a');
      await store.sessions.release(key, { sessionExpirySeconds: 0 }, now);
      expect(await store.sessions.count()).toBe(0);
      expect((await connect(store, 'c')).session).toBeNull();
    });

    it('runs calls in order, and reads see earlier writes that were not awaited', async () => {
      const { store } = opened;
      const key = await durable(store, 'c', 'a');
      const calls = [
        store.logs.append([message(['a'], '1')], now),
        store.logs.read('a', 1, 10, 1000, now),
        store.sessions.unsubscribe(key, ['a']),
        store.logs.durableFilters(),
        store.logs.append([message(['a'], '2')], now),
        store.sessions.subscribe(key, [subscription('a')]),
        store.logs.durableFilters(),
        store.logs.append([message(['a'], '3')], now),
        store.retained.set('t', bytes('r'), Infinity),
        store.retained.count(),
        store.sessions.delete('c'),
        store.sessions.count(),
        connect(store, 'c', { expiry: 0 }),
        store.sessions.owners(),
      ] as const;
      const [, log, , none, skipped, , one, third, , retained, , sessions, claim, owners] = await Promise.all(calls);
      expect(log.entries).toHaveLength(1);
      expect(none).toEqual([]);
      expect(skipped).toEqual([[0]]);
      expect(one).toEqual([{ filter: 'a', lastSequence: 1 }]);
      expect(third).toEqual([[2]]);
      expect(retained).toBe(1);
      expect(sessions).toBe(0);
      expect(claim).toMatchObject({ session: null, previousOwner: '' });
      expect(claim.epoch).toBeGreaterThan(key.epoch);
      expect(owners).toEqual([owner]);
    });

    it('refuses calls after close', async () => {
      const { store } = opened;
      const pending = durable(store, 'c', 'a');
      await pending;
      const written = store.logs.append([message(['a'], '1')], now);
      await store.close();
      expect(await written).toEqual([[1]]);
      await expect(store.sessions.count()).rejects.toMatchObject({ code: 'closed' });
      await expect(store.logs.append([message(['a'], '1')], now)).rejects.toMatchObject({ code: 'closed' });
      await expect(connect(store, 'c')).rejects.toMatchObject({ code: 'closed' });
      await store.open();
    });
  });
}
