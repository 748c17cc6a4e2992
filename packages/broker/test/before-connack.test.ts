/** Before CONNACK nobody knows who a client is: what it makes the node keep is bounded in bytes and in objects. */
import { encodePacket, type Packet } from '@dunlin/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HeldPackets } from '../src/connection/held-packets.ts';
import type { AuthenticationExchange, AuthenticationResult, Authenticator } from '../src/ports/authenticator.ts';
import { connect, publish } from './support/client.ts';
import { World } from './support/world.ts';

/** Answers when the test says so. */
class SlowAuthenticator implements Authenticator {
  answer: (result: AuthenticationResult) => void = () => undefined;

  authenticate(): Promise<AuthenticationResult> {
    return new Promise((resolve) => {
      this.answer = resolve;
    });
  }

  exchange(): AuthenticationExchange {
    return { step: () => this.authenticate() };
  }
}

const accepted: AuthenticationResult = { kind: 'accept', userName: null };
const large = 'x'.repeat(60_000);

describe('packets behind a CONNECT that waits', () => {
  test('the socket is not read beyond 64 KiB of them; then they take effect in their order', async () => {
    const authenticator = new SlowAuthenticator();
    const { world, worker } = await World.alone({ authenticator });
    const client = worker.socket();
    await client.send(connect('c'), publish('t', large, 1, 1));
    expect(client.transport.paused).toBe(false);
    await client.send(publish('t', large, 1, 2), publish('t', 'x', 1, 3));
    expect(client.transport.paused).toBe(true);
    authenticator.answer(accepted);
    await world.clock.settle();
    expect(client.said()).toEqual(['connack 0x00', 'puback #1 0x10', 'puback #2 0x10', 'puback #3 0x10']);
    expect(client.transport.paused).toBe(false);
  });

  test('a packet of which a part has come counts as well', async () => {
    const authenticator = new SlowAuthenticator();
    const { world, worker } = await World.alone({ authenticator });
    const client = worker.socket();
    const whole = encodePacket(publish('t', 'x'.repeat(200_000), 1, 1), 5);
    await client.send(connect('c'));
    for (const [from, isPaused] of [
      [0, false],
      [40_000, true],
    ] as const) {
      await client.sendBytes(whole.subarray(from, from + 40_000));
      expect(client.transport.paused).toBe(isPaused);
    }
    authenticator.answer(accepted);
    await world.clock.settle();
    expect(client.transport.paused).toBe(false);
    await client.sendBytes(whole.subarray(80_000));
    expect(client.said()).toEqual(['connack 0x00', 'puback #1 0x10']);
  });

  test('so does a message of WebSocket of which a part has come', async () => {
    const authenticator = new SlowAuthenticator();
    const { world, worker } = await World.alone({ authenticator });
    const client = worker.socket();
    await client.send(connect('c'));
    // CONNECT and what is held behind it: 64 KiB each.
    expect([client.connection.carried(128 * 1024), client.transport.paused]).toEqual([true, false]);
    expect([client.connection.carried(128 * 1024 + 1), client.transport.paused]).toEqual([true, true]);
    authenticator.answer(accepted);
    await world.clock.settle();
    expect(client.transport.paused).toBe(false);
    expect([client.connection.carried(1024 * 1024), client.transport.paused]).toEqual([true, false]);
  });

  test('with an authentication method they end it: AUTH and DISCONNECT alone are allowed [MQTT-3.1.2-30]', async () => {
    const authenticator = new SlowAuthenticator();
    const { worker } = await World.alone({ authenticator });
    const properties = { authenticationMethod: 'slow' };
    const client = worker.socket();
    await client.send({ ...connect('c'), properties } as Packet, publish('t', 'x', 1, 1));
    expect(client.said()).toEqual(['connack 0x82']);
    expect(client.isClosed).toBe(true);
  });

  test('AUTH before CONNACK is no larger than CONNECT', async () => {
    const authenticator = new SlowAuthenticator();
    const { world, worker } = await World.alone({ authenticator, limits: { connectPacketBytesMax: 1000 } });
    const client = worker.socket();
    await client.send({ ...connect('c'), properties: { authenticationMethod: 'slow' } } as Packet);
    const auth = (bytes: number): Packet => ({
      type: 'auth',
      reasonCode: 0x18,
      properties: { authenticationMethod: 'slow', authenticationData: Buffer.alloc(bytes) },
    });
    authenticator.answer({ kind: 'continue', data: Buffer.alloc(0) });
    await world.clock.settle();
    await client.send(auth(900));
    authenticator.answer({ kind: 'continue', data: Buffer.alloc(0) });
    await world.clock.settle();
    await client.send(auth(1000));
    expect(client.said()).toEqual(['auth', 'auth', 'connack 0x95']);
  });
});

test('held packets come out as they were, in their order, whatever their sizes', () => {
  const size = fc.oneof(fc.constant(2), fc.integer({ min: 2, max: 400 }), fc.integer({ min: 60_000, max: 140_000 }));
  fc.assert(
    fc.property(fc.array(fc.tuple(size, fc.boolean()), { maxLength: 40 }), (steps) => {
      const held = new HeldPackets();
      const waiting: Buffer[] = [];
      const take = (): void => {
        const packet = held.shift();
        expect(packet?.bytes.equals(waiting.shift() as Buffer)).toBe(true);
        expect(packet?.header).toBe(packet?.bytes[0]);
      };
      let fill = 0;
      for (const [bytes, takesOne] of steps) {
        const packet = encodePacket(publish('t', Buffer.alloc(bytes, ++fill).toString('latin1')), 4);
        held.add(Buffer.concat([Buffer.from('front'), packet]), 5, 5 + packet.length);
        waiting.push(packet);
        expect(held.bytes).toBe(waiting.reduce((sum, { length }) => sum + length, 0));
        if (takesOne) take();
      }
      while (waiting.length > 0) take();
      expect([held.length, held.bytes, held.shift()]).toEqual([0, 0, undefined]);
    }),
    { numRuns: 50 },
  );
});
