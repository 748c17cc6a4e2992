/** CONNECT that is refused, and connections without one: counted by reason. */
import { describe, expect, test } from 'vitest';
import type { AuthenticationResult, Authenticator } from '../src/ports/authenticator.ts';
import { connectRefusals } from '../src/ports/connect-refusal.ts';
import { type Client, connect, publish } from './support/client.ts';
import { type WorkerOptions, World } from './support/world.ts';

/** Answers every client the same. */
function answering(result: AuthenticationResult): Authenticator {
  return { authenticate: async () => result, exchange: () => null };
}

const refused = (reasonCode: number): WorkerOptions => ({
  authenticator: answering({ kind: 'refuse', reasonCode, reason: 'a test' }),
});

/** Reasons that were counted, each as often as it was. */
async function countedAfter(options: WorkerOptions, act: (client: Client, world: World) => Promise<void>) {
  const { world, worker } = await World.alone(options);
  await act(worker.socket(), world);
  await world.clock.settle();
  const counts = worker.broker.metrics.connectsRefused;
  const closed = worker.broker.metrics.listener('test').closed;
  return {
    refused: connectRefusals.flatMap((reason) => Array<string>(counts[reason]).fill(reason)),
    closed: Object.entries(closed).flatMap(([reason, count]) => Array<string>(count).fill(reason)),
  };
}

const dial = (client: Client): Promise<void> => client.send(connect('c'));

describe('a client that is not let in counts', () => {
  const table: [reason: string, closed: string, options: WorkerOptions, act: (c: Client, w: World) => Promise<void>][] =
    [
      ['bad-credentials', 'connect-refused', refused(0x86), dial],
      ['not-authorized', 'connect-refused', refused(0x87), dial],
      ['server-busy', 'connect-refused', refused(0x9f), dial],
      ['server-unavailable', 'connect-refused', refused(0x88), dial],
      ['client-identifier', 'connect-refused', { limits: { clientIdBytesMax: 2 } }, (c) => c.send(connect('long'))],
      [
        'authentication-method',
        'connect-refused',
        {},
        (c) => c.send(connect('c', { properties: { authenticationMethod: 'x' } })),
      ],
      ['connect-timeout', 'connect-timeout', {}, (_c, world) => world.clock.pass(12_000)],
      ['protocol-error', 'protocol-error', {}, (c) => c.send(publish('t', 'x'))],
      ['unsigned-max', 'unsigned-max', { limits: { unsignedBytesMax: 10_000 } }, unsigned],
    ];

  async function unsigned(client: Client): Promise<void> {
    const half = Buffer.alloc(9000);
    half.set([0x10, 0x80, 0xf0, 0x03]); // 63,488 bytes are to come
    await client.sendBytes(half);
  }

  test.each(table)('as %s, and as closed for %s', async (reason, closed, options, act) => {
    expect(await countedAfter(options, act)).toEqual({ refused: [reason], closed: [closed] });
  });
});
