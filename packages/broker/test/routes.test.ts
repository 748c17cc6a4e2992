/** Routes: what endpoints know of each other's filters. Frames are carried by hand, so that each can be late. */
import { describe, expect, test } from 'vitest';
import { FakeClock } from './support/fake-clock.ts';
import { Endpoint, isDone } from './support/routes-endpoint.ts';

describe('routes', () => {
  test('a barrier waits for every peer, and not for what changes later', async () => {
    const clock = new FakeClock();
    const own = new Endpoint(clock);
    for (const name of ['a', 'b']) own.routes.joined(name);
    own.want('t');
    const first = own.routes.confirmed();
    own.routes.confirmReceived('a', 1);
    expect(await isDone(first)).toBe(false);
    own.want('u');
    const second = own.routes.confirmed();
    own.routes.confirmReceived('b', 1);
    expect(await isDone(first)).toBe(true);
    expect(await isDone(second)).toBe(false);
    own.routes.left('b');
    own.routes.confirmReceived('a', 2);
    expect(await isDone(second)).toBe(true);
  });

  test('a newcomer gets the whole set, and a barrier waits for it too', async () => {
    const clock = new FakeClock();
    const own = new Endpoint(clock);
    const other = new Endpoint(clock);
    own.routes.joined('earlier');
    own.sent.length = 0;
    own.want('t');
    own.want('u');
    own.leave('u');
    await clock.settle();
    own.sent.length = 0;
    own.routes.joined('other');
    other.routes.joined('own');
    expect(await isDone(other.routes.snapshotsReceived())).toBe(false);
    const barrier = own.routes.confirmed();
    own.routes.confirmReceived('earlier', 1);
    expect(await isDone(barrier)).toBe(false);
    own.routes.confirmReceived('other', other.take(own, 'own'));
    expect(await isDone(barrier)).toBe(true);
    expect(await isDone(other.routes.snapshotsReceived())).toBe(true);
    expect(other.tree.find('t')?.endpoints).toEqual(['own']);
    expect(other.tree.find('u')).toBeNull();
  });

  test('several on one filter are one route, which goes with the last', async () => {
    const clock = new FakeClock();
    const own = new Endpoint(clock);
    const other = new Endpoint(clock);
    own.routes.joined('other');
    other.routes.joined('own');
    other.take(own, 'own');
    own.want('t');
    own.want('t');
    own.leave('t');
    await clock.settle();
    expect(own.sent).toHaveLength(1);
    other.take(own, 'own');
    expect(other.tree.find('t')?.endpoints).toEqual(['own']);
    own.leave('t');
    await clock.settle();
    other.take(own, 'own');
    expect(other.tree.isEmpty).toBe(true);
  });

  test('an endpoint that leaves takes its routes and groups along, and no barrier waits for it', async () => {
    const clock = new FakeClock();
    const own = new Endpoint(clock);
    const other = new Endpoint(clock);
    own.routes.joined('other');
    other.routes.joined('own');
    other.take(own, 'own');
    own.want('t');
    own.routes.announceDurable('d', 7);
    await clock.settle();
    other.take(own, 'own');
    expect(other.durable).toEqual([['d', 7]]);
    const barrier = own.routes.confirmed();
    own.routes.left('other');
    expect(await isDone(barrier)).toBe(true);
    other.routes.left('own');
    expect(other.tree.isEmpty).toBe(true);
    expect(other.routes.hasPeers).toBe(false);
  });

  test('a peer that does not confirm is waited for a bounded time', async () => {
    const clock = new FakeClock();
    const own = new Endpoint(clock);
    own.routes.joined('silent');
    own.want('t');
    const barrier = own.routes.confirmed();
    await clock.pass(900);
    expect(await isDone(barrier)).toBe(false);
    await clock.pass(200);
    expect(await isDone(barrier)).toBe(true);
    expect(own.metrics.barrierTimeouts).toBe(1);
  });
});
