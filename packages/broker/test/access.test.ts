import { describe, expect, test } from 'vitest';
import type { Acceptance, Authenticator, Credentials, Permit } from '../src/ports/authenticator.ts';
import type { Authorizer, ClientIdentity } from '../src/ports/authorizer.ts';
import { connect, publish } from './support/client.ts';
import { World } from './support/world.ts';

/** Lets everybody in with what the test says. */
function accepting(more: (credentials: Credentials) => Partial<Acceptance>): Authenticator {
  return {
    authenticate: (credentials) => ({ kind: 'accept', userName: credentials.userName, ...more(credentials) }),
    exchange: () => null,
  };
}

class TestPermit implements Permit {
  private tell: ((reason: string) => void) | null = null;
  isWithdrawn = false;
  released = 0;

  whenWithdrawn(tell: (reason: string) => void): void {
    this.tell = tell;
  }

  release(): void {
    this.released++;
  }

  withdraw(): void {
    this.isWithdrawn = true;
    this.tell?.('withdrawn');
  }
}

describe('what a client was let in with', () => {
  test.each([5, 4] as const)('expires, keep alive or not (version %i)', async (version) => {
    const authenticator = accepting(() => ({ expiresAt: 1_700_000_010_000 }));
    const { world, worker } = await World.alone({ authenticator });
    const silent = await worker.connect('silent', { version });
    const busy = await worker.connect('busy', { version, keepAliveSeconds: 4 });
    for (let second = 0; second < 9; second++) {
      await world.clock.pass(1000);
      await busy.send({ type: 'pingreq' });
      expect(busy.said()).toEqual(['pingresp']);
    }
    expect(silent.isClosed).toBe(false);
    await world.clock.pass(2500);
    for (const client of [silent, busy]) {
      expect(client.said()).toEqual(version === 5 ? ['disconnect 0xa0'] : []);
      expect(client.isClosed).toBe(true);
    }
  });

  test('is a certificate of TLS that expires: the connection ends with it, whoever let it in', async () => {
    const { world, worker } = await World.alone({ authenticator: accepting(() => ({ expiresAt: 1_700_000_900_000 })) });
    const client = worker.socket();
    client.certify({ expiresAt: 1_700_000_010_000, revocationName: 'issuer:01' });
    await client.send(connect('c'));
    client.one('connack');
    await world.clock.pass(9000);
    expect(client.isClosed).toBe(false);
    await world.clock.pass(3500);
    expect(client.said()).toEqual(['disconnect 0xa0']);
  });

  test('is a certificate that its authority has withdrawn: this connection ends, and no other', async () => {
    const { worker } = await World.alone();
    const [revoked, other] = [worker.socket(), worker.socket()];
    revoked.certify({ expiresAt: 0, revocationName: 'issuer:01' });
    other.certify({ expiresAt: 0, revocationName: 'issuer:02' });
    await revoked.send(connect('c'));
    await other.send(connect('d'));
    revoked.one('connack');
    other.one('connack');
    worker.broker.certificatesRevoked('elsewhere', new Set(['issuer:01']));
    expect(revoked.isClosed).toBe(false);
    worker.broker.certificatesRevoked('test', new Set(['issuer:01']));
    expect(revoked.said()).toEqual(['disconnect 0x87']);
    expect(other.isClosed).toBe(false);
  });

  test('is withdrawn: the connection ends, and releases it once', async () => {
    const permit = new TestPermit();
    const { worker } = await World.alone({ authenticator: accepting(() => ({ permit })) });
    const client = await worker.connect('c');
    permit.withdraw();
    expect(client.said()).toEqual(['disconnect 0x87']);
    expect(client.isClosed).toBe(true);
    expect(permit.released).toBe(1);
  });

  test('was withdrawn before CONNACK: refused', async () => {
    const permit = new TestPermit();
    permit.isWithdrawn = true;
    const { worker } = await World.alone({ authenticator: accepting(() => ({ permit })) });
    const client = await worker.dial('c');
    expect(client.said()).toEqual(['connack 0x87']);
    expect(client.isClosed).toBe(true);
  });

  test('is released when the client leaves', async () => {
    const permit = new TestPermit();
    const { worker } = await World.alone({ authenticator: accepting(() => ({ permit })) });
    const client = await worker.connect('c');
    expect(permit.released).toBe(0);
    await client.drop();
    expect(permit.released).toBe(1);
    permit.withdraw();
    expect(client.said()).toEqual([]);
  });
});

/** Allows what stands in the set, and keeps what it was asked. */
class ListedTopics implements Authorizer {
  readonly allowed: Set<string>;
  readonly asked: string[] = [];
  readonly clients: ClientIdentity[] = [];

  constructor(...allowed: string[]) {
    this.allowed = new Set(allowed);
  }

  authorize(client: ClientIdentity, action: string, topic: string): boolean {
    this.asked.push(`${action} ${topic}`);
    this.clients.push(client);
    return this.allowed.has(topic);
  }
}

describe('an authorizer that answers at once', () => {
  test('is asked once for the topic that a client stays with, and again for another', async () => {
    const authorizer = new ListedTopics('a', 'b');
    const { worker } = await World.alone({ authorizer });
    const client = await worker.connect('c');
    await client.subscribe('a', 0);
    await client.send(publish('a', '1'), publish('a', '2'), publish('a', '3'));
    await client.send(publish('b', '1'), publish('secret', '1'), publish('secret', '2'), publish('a', '4'));
    expect(client.said()).toEqual(['publish a 1 q0', 'publish a 2 q0', 'publish a 3 q0', 'publish a 4 q0']);
    expect(authorizer.asked).toEqual([
      'subscribe a',
      'publish a',
      'publish b',
      'publish secret',
      'publish secret',
      'publish a',
    ]);
    expect(new Set(authorizer.clients).size).toBe(1);
    expect(worker.broker.metrics.dropped['not-authorized']).toBe(2);
  });

  test('does not let RETAIN and higher QoS through on the answer for QoS 0', async () => {
    const asked: string[] = [];
    const authorizer: Authorizer = {
      authorize: (_client, _action, topic, qos, retain) => {
        asked.push(`${topic} ${qos} ${retain}`);
        return qos === 0 && !retain;
      },
    };
    const { worker } = await World.alone({ authorizer });
    const client = await worker.connect('c');
    await client.send(publish('a', '1'), publish('a', '2', 1, 7), publish('a', '3', 0, 0, { retain: true }));
    expect(asked).toEqual(['a 0 false', 'a 1 false', 'a 0 true']);
    expect(client.said()).toEqual(['puback #7 0x87']);
  });

  test.each([
    [5, 0, []],
    [5, 1, ['puback #1 0x87']],
    [5, 2, ['pubrec #1 0x87']],
    [4, 0, []],
    [4, 1, ['puback #1']],
    [4, 2, ['pubrec #1']],
  ] as const)('a denied publish (version %i, QoS %i) is told of or dropped', async (version, qos, said) => {
    const { worker } = await World.alone({ authorizer: new ListedTopics() });
    const client = await worker.connect('c', { version });
    await client.send(publish('secret', 'x', qos, qos > 0 ? 1 : 0));
    expect(client.said()).toEqual(said);
    expect(client.isClosed).toBe(false);
  });

  test.each([
    [5, 0, ['disconnect 0x87'], true],
    [5, 1, ['puback #1 0x87'], false],
    [4, 0, [], true],
    [4, 1, [], true],
  ] as const)('or disconnects, if so configured (version %i, QoS %i)', async (version, qos, said, isClosed) => {
    const { worker } = await World.alone({ authorizer: new ListedTopics(), deniedPublish: 'disconnect' });
    const client = await worker.connect('c', { version });
    await client.send(publish('secret', 'x', qos, qos > 0 ? 1 : 0));
    expect(client.said()).toEqual(said);
    expect(client.isClosed).toBe(isClosed);
  });

  test('a will to a forbidden topic refuses the CONNECT', async () => {
    const { worker } = await World.alone({ authorizer: new ListedTopics('fine') });
    const will = (topic: string) =>
      ({ topic, qos: 0, retain: false, payload: Buffer.from('x'), properties: {} }) as const;
    expect((await worker.dial('c', { will: will('secret') })).said()).toEqual(['connack 0x87']);
    expect((await worker.dial('c', { will: will('$SYS/x') })).said()).toEqual(['connack 0x87']);
    expect((await worker.dial('c', { will: will('$delayed/1/secret') })).said()).toEqual(['connack 0x87']);
    expect((await worker.dial('c', { will: will('fine') })).said()).toEqual(['connack 0x00']);
  });

  test.each(['secret', '$SYS/x', '$delayed/1/secret'])('or is dropped, if so configured: %s', async (topic) => {
    const { worker } = await World.alone({ authorizer: new ListedTopics('#'), deniedWill: 'drop' });
    const watcher = await worker.connect('w');
    await watcher.subscribe('#', 0);
    await watcher.subscribe('$SYS/#', 0);
    watcher.received();
    for (let times = 0; times < 2; times++) {
      const will = { topic, qos: 0, retain: false, payload: Buffer.from('x'), properties: {} } as const;
      const client = await worker.connect('c', { will });
      expect(worker.view.session('c')?.hasWill).toBe(false);
      await client.drop();
    }
    expect(watcher.said()).toEqual([]);
    expect(worker.broker.metrics.dropped['not-authorized']).toBe(2);
    expect(worker.log.filter((line) => line.includes('will'))).toEqual([
      `a will that is not allowed was dropped ${JSON.stringify({ client: 'c', topic })}`,
    ]);
  });

  test('is asked for the filter behind $share and for the topic behind $delayed', async () => {
    const authorizer = new ListedTopics('fine');
    const { worker } = await World.alone({ authorizer });
    const client = await worker.connect('c');
    expect(await client.subscribe('$share/g/secret', 1)).toEqual([0x87]);
    expect(await client.subscribe('$share/g/fine', 1)).toEqual([1]);
    await client.send(publish('$delayed/5/secret', 'x', 1, 1), publish('$delayed/5/fine', 'x', 1, 2));
    expect(client.said()).toEqual(['puback #1 0x87', 'puback #2']);
    expect(authorizer.asked).toEqual(['subscribe secret', 'subscribe fine', 'publish secret', 'publish fine']);
  });

  test('what the authenticator said of the client reaches it', async () => {
    const authorizer = new ListedTopics('a');
    const { worker } = await World.alone({ authorizer, authenticator: accepting(() => ({ rules: 'some' })) });
    await (await worker.connect('c', { userName: 'ann' })).subscribe('a', 0);
    expect(authorizer.clients[0]).toMatchObject({ clientId: 'c', userName: 'ann', rules: 'some' });
  });
});

describe('new rules', () => {
  test('count for the topic that a client stays with, and for subscriptions in force', async () => {
    const authorizer = new ListedTopics('a', 'b');
    const { world, worker } = await World.alone({ authorizer });
    const publisher = await worker.connect('p');
    const subscriber = await worker.connect('s');
    await subscriber.subscribe('a', 1);
    await subscriber.subscribe('b', 1);
    await publisher.send(publish('a', '1'), publish('b', '1'));
    expect(subscriber.said()).toEqual(['publish a 1 q0', 'publish b 1 q0']);
    authorizer.allowed.delete('b');
    worker.broker.rulesChanged();
    await world.clock.settle();
    await publisher.send(publish('b', '2'), publish('a', '2'));
    expect(subscriber.said()).toEqual(['publish a 2 q0']);
    authorizer.allowed.add('b').delete('a');
    worker.broker.rulesChanged();
    await world.clock.settle();
    await publisher.send(publish('b', '3'), publish('a', '3'));
    expect(subscriber.said()).toEqual(['publish b 3 q0']); // suspended, not removed
    expect(worker.broker.metrics.dropped['not-authorized']).toBe(2);
  });

  test('count for a session that comes back, until its next CONNECT', async () => {
    const authorizer = new ListedTopics('a', 'b');
    const { world, worker } = await World.alone({ authorizer });
    const before = await worker.connect('s', { expiry: 1000 });
    await before.subscribe('a', 1);
    await before.subscribe('b', 1);
    await before.drop();
    const publisher = await worker.connect('p');
    authorizer.allowed.delete('b');
    const after = await worker.connect('s', { cleanStart: false, expiry: 1000 });
    authorizer.allowed.add('b');
    await publisher.send(publish('a', '1', 1, 1), publish('b', '1', 1, 2));
    await world.clock.settle();
    expect(after.said()).toEqual(['publish a 1 q1 #1']);
    await after.drop();
    const again = await worker.dial('s', { cleanStart: false, expiry: 1000 });
    await publisher.send(publish('b', '2', 1, 3));
    expect(again.said()).toEqual([
      'connack 0x00 present',
      'publish a 1 q1 #1 dup',
      'publish b 1 q1 #2',
      'publish b 2 q1 #3',
    ]);
  });
});
