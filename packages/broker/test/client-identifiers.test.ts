/** Client identifiers that are tied to user names, and rules for connecting. */
import { describe, expect, test } from 'vitest';
import type { Authenticator } from '../src/ports/authenticator.ts';
import type { Authorizer } from '../src/ports/authorizer.ts';
import { World } from './support/world.ts';

const authenticator: Authenticator = {
  authenticate: ({ userName }) => ({ kind: 'accept', userName }),
  exchange: () => null,
};

describe('the client identifier must be the user name', () => {
  test('or the client is refused with 0x85, with code 2 before MQTT 5', async () => {
    const { worker } = await World.alone({ authenticator, clientIds: { mode: 'user', separator: ':' } });
    expect((await worker.dial('ann', { userName: 'ann' })).said()).toEqual(['connack 0x00']);
    expect((await worker.dial('bob', { userName: 'ann' })).said()).toEqual(['connack 0x85']);
    expect((await worker.dial('bob', { userName: 'ann', version: 4 })).said()).toEqual(['connack 0x02']);
    expect((await worker.dial('ann', {})).said()).toEqual(['connack 0x85']);
  });

  test('and is it where the server assigns one', async () => {
    const { worker } = await World.alone({ authenticator, clientIds: { mode: 'user', separator: ':' } });
    const client = await worker.dial('', { userName: 'ann' });
    expect(client.one('connack').properties.assignedClientIdentifier).toBe('ann');
    expect(worker.view.session('ann')).toBeDefined();
  });
});

describe('the client identifier must begin with the user name', () => {
  test('or the client is refused with 0x85', async () => {
    const { worker } = await World.alone({ authenticator, clientIds: { mode: 'prefix', separator: ':' } });
    expect((await worker.dial('ann:1', { userName: 'ann' })).said()).toEqual(['connack 0x00']);
    for (const [clientId, userName] of [
      ['ann', 'ann'],
      ['ann:', 'ann'],
      ['ann1', 'ann'],
      ['bob:1', 'ann'],
    ])
      expect((await worker.dial(clientId, { userName })).said(), clientId).toEqual(['connack 0x85']);
    expect((await worker.dial('ann:1', {})).said()).toEqual(['connack 0x85']);
  });

  test('and does where the server assigns one', async () => {
    const { worker } = await World.alone({ authenticator, clientIds: { mode: 'prefix', separator: '/' } });
    const client = await worker.dial('', { userName: 'ann' });
    expect(client.one('connack').properties.assignedClientIdentifier).toMatch(/^ann\/dunlin-/);
  });
});

describe('rules for connect', () => {
  test.each([false, true])('refuse a client before it has an effect on another (late answer: %s)', async (isLate) => {
    const authorizer: Authorizer = {
      authorize: () => true,
      mayConnect: ({ userName, clientId }) => {
        const answer = clientId.startsWith(`${userName}`);
        return isLate ? Promise.resolve(answer) : answer;
      },
    };
    const { worker } = await World.alone({ authenticator, authorizer });
    const client = await worker.connect('ann-1', { userName: 'ann' });
    expect((await worker.dial('ann-1', { userName: 'bob' })).said()).toEqual(['connack 0x87']);
    expect((await worker.dial('ann-1', { userName: 'bob', version: 4 })).said()).toEqual(['connack 0x05']);
    await client.send({ type: 'pingreq' });
    expect(client.said()).toEqual(['pingresp']);
  });
});

test('the authorizer is asked for the group of a shared subscription', async () => {
  const asked: unknown[] = [];
  const authorizer: Authorizer = {
    authorize: (_client, _action, topic, _qos, _retain, group) => {
      asked.push([topic, group]);
      return group !== 'others';
    },
  };
  const { worker } = await World.alone({ authorizer });
  const client = await worker.connect('c');
  expect(await client.subscribe('$share/others/jobs', 1)).toEqual([0x87]);
  expect(await client.subscribe('$share/workers/jobs', 1)).toEqual([1]);
  expect(await client.subscribe('jobs', 1)).toEqual([1]);
  expect(asked).toEqual([
    ['jobs', 'others'],
    ['jobs', 'workers'],
    ['jobs', undefined],
  ]);
});
