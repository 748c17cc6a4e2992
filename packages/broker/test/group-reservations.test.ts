/** QoS 2 messages of shared groups with durable members: each to exactly one client, whatever dies (P2, [MQTT-4.8.2-4..6]). */
import { describe, expect, test } from 'vitest';
import { ack, type Client, publish } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

const durable = { cleanStart: false, expiry: 1000 };
const name = '$share/g/jobs';

async function join(worker: Worker, clientId: string, options: object = durable): Promise<Client> {
  const client = await worker.connect(clientId, options);
  await client.subscribe(name, 2);
  return client;
}

async function send(publisher: Client, payload: string, packetId = 1): Promise<void> {
  await publisher.send(publish('jobs', payload, 2, packetId));
  expect(publisher.said()).toEqual([`pubrec #${packetId}`]);
  await publisher.send(ack('pubrel', packetId));
  expect(publisher.said()).toEqual([`pubcomp #${packetId}`]);
}

/** Goes through the handshakes of all that comes. Returns payloads; what came with DUP is marked. */
async function take(client: Client): Promise<string[]> {
  const got: string[] = [];
  for (let packets = client.received(); packets.length > 0; packets = client.received()) {
    for (const packet of packets) {
      if (packet.type === 'publish') {
        got.push(`${packet.payload}${packet.dup ? ' again' : ''}`);
        await client.send(ack('pubrec', packet.packetId));
      } else if (packet.type === 'pubrel') {
        await client.send(ack('pubcomp', packet.packetId));
      }
    }
  }
  return got;
}

async function stateOf(world: World): Promise<{ acknowledged: number; reservations: unknown[] }> {
  const [{ acknowledged }] = await world.store.groups.list();
  return { acknowledged, reservations: await world.store.groups.reservations(name) };
}

test('a message goes through, and nothing is left of it', async () => {
  const { world, workers } = await World.of(2);
  const near = await join(workers[0], 'd0');
  const far = await join(workers[1], 'd1');
  const publisher = await workers[1].connect('p', durable);
  for (let i = 1; i <= 6; i++) await send(publisher, `${i}`, i);
  const got = [await take(near), await take(far)];
  expect(got.map((all) => all.length)).toEqual([3, 3]);
  expect(got.flat().sort()).toEqual(['1', '2', '3', '4', '5', '6']);
  await world.clock.pass(500);
  expect(await stateOf(world)).toEqual({ acknowledged: 6, reservations: [] });
  expect(
    (await world.store.sessions.claim({ clientId: 'd0', owner: 'x', cleanStart: false, sessionExpirySeconds: 9 }, 0))
      .session?.outbound,
  ).toEqual([]);
});

test('a durable member that breaks off gets it when it is back, no other member does [MQTT-4.8.2-4]', async () => {
  const { world, workers } = await World.of(2);
  const member = await join(workers[0], 'd0');
  await send(await workers[1].connect('p', durable), 'x');
  expect(member.said()).toEqual(['publish jobs x q2 #1']);
  const other = await join(workers[1], 'd1');
  await member.drop();
  await world.clock.pass(10_000);
  expect(other.said()).toEqual([]);
  expect(await take(await workers[1].dial('d0', durable))).toEqual(['x again']);
  expect(other.said()).toEqual([]);
});

test('behind PUBREC it goes on with PUBREL, on whatever worker', async () => {
  const { workers } = await World.of(2);
  const member = await join(workers[0], 'd0');
  await send(await workers[1].connect('p', durable), 'x');
  member.received();
  await member.send(ack('pubrec', 1));
  expect(member.said()).toEqual(['pubrel #1']);
  const again = await workers[1].dial('d0', durable);
  expect(again.said()).toEqual(['connack 0x00 present', 'pubrel #1']);
});

test('when the session ends before its client is back, no member gets it [MQTT-4.8.2-5]', async () => {
  const { world, workers } = await World.of(2);
  const member = await join(workers[0], 'd0');
  await send(await workers[1].connect('p', durable), 'x');
  expect(member.said()).toEqual(['publish jobs x q2 #1']);
  const other = await join(workers[1], 'd1');
  await workers[0].crash();
  await world.store.sessions.releaseOwner(workers[0].broker.self, world.clock.now());
  await world.clock.pass(3_000_000);
  expect(other.said()).toEqual([]);
  expect(await stateOf(world)).toEqual({ acknowledged: 1, reservations: [] });
});

test('an ephemeral member that breaks off takes it along', async () => {
  const { world, workers } = await World.of(2);
  const owner = await join(workers[1], 'd');
  const passing = await join(workers[0], 'e', {});
  await owner.drop();
  await world.clock.pass(3000);
  await send(await workers[1].connect('p', durable), 'x');
  expect(passing.said()).toEqual(['publish jobs x q2 #1']);
  await passing.drop();
  expect(workers[0].broker.metrics.dropped['session-ended']).toBe(1);
  const again = await workers[1].dial('d', durable);
  await world.clock.pass(10_000);
  expect(again.said()).toEqual(['connack 0x00 present']);
});

test.each([1, 2] as const)('QoS %i refused by its receiver goes to nobody else [MQTT-4.8.2-6]', async (qos) => {
  const { world, workers } = await World.of(2);
  const member = await join(workers[0], 'd0');
  const publisher = await workers[1].connect('p', durable);
  await publisher.send(publish('jobs', 'x', qos, 1));
  await member.send(ack(qos === 1 ? 'puback' : 'pubrec', 1, 0x80));
  const other = await join(workers[1], 'd1');
  await member.drop();
  await world.clock.pass(3000);
  expect(other.said()).toEqual([]);
  expect((await stateOf(world)).acknowledged).toBe(1);
});

/**
 * Steps at which the worker of the chosen member stops: calls of the method in their order, and whether the call has
 * its effect.
 */
const steps: { step: string; method: 'groups.reserve' | 'sessions.update'; call: number; hasEffect: boolean }[] = [
  { step: 'before it is reserved', method: 'groups.reserve', call: 1, hasEffect: false },
  { step: 'when it is reserved', method: 'groups.reserve', call: 1, hasEffect: true },
  { step: 'before it is in the session', method: 'sessions.update', call: 1, hasEffect: false },
  { step: 'when it is in the session', method: 'sessions.update', call: 1, hasEffect: true },
  { step: 'before the reservation is final', method: 'groups.reserve', call: 2, hasEffect: false },
  { step: 'when the reservation is final', method: 'groups.reserve', call: 2, hasEffect: true },
];

describe.each(steps)('the connection or the worker ends $step', ({ method, call, hasEffect }) => {
  /** Holds that call back. Returns what makes it go on. */
  function holdAt({ gate }: Worker): () => void {
    let calls = 0;
    let goOn = (): void => {};
    gate.intercept = (called, run) => {
      if (called !== method || ++calls !== call) return null;
      const answer = hasEffect ? run() : null;
      return new Promise((resolve, reject) => {
        goOn = () => void (answer ?? run()).then(resolve, reject);
      });
    };
    return () => goOn();
  }

  async function start(leaderAt: number): Promise<{ world: World; workers: Worker[] }> {
    const { world, workers } = await World.of(3);
    // Who comes first leads.
    const first = await workers[leaderAt].connect('first', { ...durable, properties: { receiveMaximum: 1 } });
    await first.subscribe(name, 2);
    const publisher = await workers[2].connect('p', durable);
    await send(publisher, 'of first', 1);
    expect(first.said()).toEqual(['publish jobs of first q2 #1']);
    return { world, workers };
  }

  test.each([0, 1])('the worker, while worker %i leads: one client gets it, once', async (leaderAt) => {
    const { world, workers } = await start(leaderAt);
    await join(workers[0], 'd');
    holdAt(workers[0]);
    await workers[2].connect('q', durable).then((publisher) => send(publisher, 'x'));
    await workers[0].crash();
    await world.store.sessions.releaseOwner(workers[0].broker.self, world.clock.now());
    await world.clock.pass(10_000);
    const other = await join(workers[2], 'other');
    await world.clock.pass(10_000);
    const back = await workers[1].dial('d', durable);
    const got: string[] = [];
    for (let round = 0; round < 10; round++) {
      await world.clock.pass(1000);
      for (const client of [other, back]) got.push(...(await take(client)));
    }
    expect(got.map((payload) => payload.replace(' again', ''))).toEqual(['x']);
    await world.clock.pass(1000);
    // `first` has its message still if it was on the worker that died.
    expect((await stateOf(world)).reservations).toEqual([]);
  });

  test.each(['is cut', 'is taken over by another worker'])(
    'the connection %s: one client gets it, once',
    async (how) => {
      const { world, workers } = await start(1);
      const member = await join(workers[0], 'd');
      const goOn = holdAt(workers[0]);
      await workers[2].connect('q', durable).then((publisher) => send(publisher, 'x'));
      let back: Client | null = null;
      if (how === 'is cut') await member.drop();
      else back = await workers[2].dial('d', durable);
      goOn();
      await world.clock.pass(3000);
      const other = await join(workers[2], 'other');
      await world.clock.pass(3000);
      back ??= await workers[2].dial('d', durable);
      const got: string[] = [];
      for (let round = 0; round < 10; round++) {
        await world.clock.pass(1000);
        for (const client of [other, back]) got.push(...(await take(client)));
      }
      expect(got.map((payload) => payload.replace(' again', ''))).toEqual(['x']);
      await world.clock.pass(1000);
      expect((await stateOf(world)).reservations).toEqual([]);
    },
  );
});

test('a message that was reserved is not assigned again by a leader that knows nothing of it', async () => {
  const { world, workers } = await World.of(3);
  const first = await join(workers[0], 'first');
  await join(workers[1], 'd');
  const publisher = await workers[2].connect('p', durable);
  workers[0].gate.refused = ['groups.update']; // the leader cannot write its cursor
  for (let i = 1; i <= 4; i++) await send(publisher, `${i}`, i);
  const got = await take(first);
  await workers[0].crash();
  await world.store.sessions.releaseOwner(workers[0].broker.self, world.clock.now());
  await world.clock.pass(5000);
  expect(workers[1].view.groupsLed).toBe(1);
  expect((await stateOf(world)).acknowledged).toBe(4);
  const back = await workers[2].dial('first', durable);
  await world.clock.pass(5000);
  expect([...got, ...(await take(back))]).toHaveLength(2);
});

/** Fails when the number is forgotten on the way (OutboundInflight.put without it): then nobody can make it good, and another client gets it too. */
test('a session that moves on before it could make good what it has in flight', async () => {
  const { world, workers } = await World.of(3);
  const first = await join(workers[0], 'first', { ...durable, properties: { receiveMaximum: 1 } });
  const publisher = await workers[2].connect('p', durable);
  await send(publisher, 'of first', 1);
  expect(first.said()).toEqual(['publish jobs of first q2 #1']);
  const member = await join(workers[1], 'd');
  // Its worker dies between the session's record and the final reservation.
  let calls = 0;
  workers[1].gate.intercept = (called) => (called === 'groups.reserve' && ++calls === 2 ? new Promise(() => {}) : null);
  await send(publisher, 'x', 2);
  expect(member.said()).toEqual([]);
  await workers[1].crash();
  await world.store.sessions.releaseOwner(workers[1].broker.self, world.clock.now());
  // The next one has the session, and not yet the answer of the group, when the client goes elsewhere.
  workers[0].gate.block('groups.reserve');
  const second = await workers[0].dial('d', durable);
  expect(second.said()).toEqual(['connack 0x00 present']);
  await second.drop();
  const third = await workers[2].dial('d', durable);
  const other = await join(workers[2], 'other');
  const got = [...(await take(third)), ...(await take(other))];
  await world.clock.pass(5000);
  got.push(...(await take(third)), ...(await take(other)));
  expect(got).toEqual(['x again']);
  expect((await stateOf(world)).reservations).toEqual([]);
});

test('a store that is away for a while: what was reserved is neither lost nor delivered twice', async () => {
  const { world, workers } = await World.of(2);
  const near = await join(workers[0], 'd0');
  const far = await join(workers[1], 'd1');
  const publisher = await workers[1].connect('p', durable);
  for (const { gate } of workers) gate.failsAfter.add('groups.reserve');
  for (let i = 1; i <= 4; i++) await send(publisher, `${i}`, i);
  await world.clock.pass(2000);
  for (const { gate } of workers) {
    gate.failsAfter.clear();
    gate.refused = ['groups.reserve', 'sessions.update', 'groups.update', 'groups.reservations'];
  }
  await world.clock.pass(2000);
  for (const { gate } of workers) gate.refused = 'none';
  await world.clock.pass(2000);
  expect([...(await take(near)), ...(await take(far))].sort()).toEqual(['1', '2', '3', '4']);
  await world.clock.pass(1000);
  expect(await stateOf(world)).toEqual({ acknowledged: 4, reservations: [] });
});

/** Breaking GroupLeader.claimAnew, or calling everything certain in GroupAssignments.left, makes it fail: both clients get it. */
test('a worker that the others believe dead cannot take what another has got meanwhile', async () => {
  const { world, workers } = await World.of(3);
  const first = await workers[0].connect('first', { ...durable, properties: { receiveMaximum: 1 } });
  await first.subscribe(name, 2);
  const publisher = await workers[2].connect('p', durable);
  await send(publisher, 'of first', 1);
  const member = await join(workers[1], 'd');
  workers[1].gate.block('groups.reserve');
  await send(publisher, 'x', 2);
  expect(member.said()).toEqual([]);
  workers[0].broker.cluster.endpointLeft(workers[1].broker.self);
  const other = await join(workers[2], 'other');
  const got = await take(other);
  await world.clock.pass(1000);
  expect(got).toEqual(['x']);
  expect((await stateOf(world)).acknowledged).toBe(2);
  workers[1].gate.open('groups.reserve');
  await world.clock.pass(5000);
  expect(member.said()).toEqual([]);
  // Heard of again, it is given what comes.
  workers[0].broker.cluster.endpointJoined(workers[1].broker.self);
  await world.clock.pass(3000);
  await send(publisher, 'y', 3);
  await send(publisher, 'z', 4);
  expect([...(await take(other)), ...(await take(member))].sort()).toEqual(['y', 'z']);
});
