/**
 * A client goes away, or the store fails, in each state of its CONNECT (takeover/opening.ts): its claim is free again or stays with the connection before,
 * nothing of the session is lost, and the next CONNECT succeeds. Seen to fail where a session that is not used is not released.
 */
import { describe, expect, test } from 'vitest';
import { ConnectionState } from '../src/output/connection-state.ts';
import { type Client, connect, publish } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

const durable = { cleanStart: false, expiry: 1000 } as const;
const will = (topic: string, qos: 0 | 1) => ({
  ...{ topic, payload: Buffer.from('gone'), qos, retain: true },
  properties: { willDelayInterval: 0 },
});

/** Answers of authenticator and authorizer that are kept back; null: they answer at once. */
class Answers {
  private waiting: (() => void)[] | null = null;

  hold(): void {
    this.waiting = [];
  }

  give(): void {
    const waiting = this.waiting ?? [];
    this.waiting = null;
    for (const answer of waiting) answer();
  }

  of<T>(value: T): Promise<T> | T {
    const { waiting } = this;
    return waiting === null ? value : new Promise((resolve) => waiting.push(() => resolve(value)));
  }
}

/** A client with two messages in flight at `workers[0]`, a publisher and a watcher of wills at `workers[2]`. */
class Scene {
  readonly signIn = new Answers();
  readonly rules = new Answers();
  world!: World;
  workers!: Worker[];
  first!: Client;
  publisher!: Client;
  watcher!: Client;

  static async of(filters = 0, hasWill = false): Promise<Scene> {
    const scene = new Scene();
    const { world, workers } = await World.of(3, {
      authenticator: {
        authenticate: async () => scene.signIn.of({ kind: 'accept' as const, userName: null }),
        exchange: () => null,
      },
      authorizer: { authorize: (_client, action) => action !== 'publish' || scene.rules.of(true) },
    });
    scene.world = world;
    scene.workers = workers;
    scene.watcher = await workers[2].connect('watcher');
    await scene.watcher.subscribe('new', 0);
    scene.first = await workers[0].connect('c', { ...durable, will: hasWill ? will('old', 1) : null });
    await scene.first.subscribe('t', 2);
    for (let i = 0; i < filters; i++) await scene.first.subscribe(`f/${i}`, 1);
    scene.publisher = await workers[2].connect('publisher');
    await scene.publisher.send(publish('t', 'a', 2, 1), publish('t', 'b', 1, 2));
    expect(scene.first.said().sort()).toEqual(['publish t a q2 #1', 'publish t b q1 #2']);
    return scene;
  }

  /** Owner of the client identifier; `publisher` and `watcher` are at the third worker. */
  async owner(): Promise<number> {
    const owners = await this.world.store.sessions.owners();
    return this.workers.findIndex(({ broker }, i) => i < 2 && owners.includes(broker.self));
  }

  /** Connects and says what comes, but for DUP. */
  async comesAgain(at: number): Promise<string[]> {
    const client = await this.workers[at].dial('c', durable);
    await this.world.clock.pass(1000);
    const [connack, ...messages] = client.said().map((line) => line.replace(' dup', ''));
    return [connack, ...messages.sort()];
  }
}

/** Frames to this worker are lost until the returned function is called. */
function deafen({ broker: { cluster } }: Worker): () => void {
  const { received } = cluster;
  cluster.received = () => {};
  return () => {
    cluster.received = received;
  };
}

interface Row {
  state: string;
  /** The worker that CONNECT comes to: 0 has the connection before. */
  at: 0 | 1;
  /** Filters of the session beside `t`. */
  filters?: number;
  /** The connection before has a will. */
  hasWill?: boolean;
  /** Holds the CONNECT in the state; returns what lets it go on. */
  hold: (scene: Scene) => (() => void) | Promise<() => void>;
  /** Something else than to wait until all are at rest. */
  enter?: (scene: Scene, client: Client) => Promise<void>;
  /** Packets that the client has read. */
  said: string[];
  /** Owner of the client identifier when all is over; -1: nobody. */
  owner: number;
  /** A will is that of a connected client from CONNACK on. */
  isWillPublished: boolean;
}

const blocked =
  (method: 'sessions.claim' | 'sessions.update' | 'wills.set' | 'logs.read' | 'retained.set', at: number) =>
  ({ workers }: Scene) => {
    workers[at].gate.block(method);
    return () => workers[at].gate.open(method);
  };

const early = { said: [], isWillPublished: false };
const late = { owner: -1, isWillPublished: true };

const rows: Row[] = [
  {
    ...{ ...early, state: 'received: the client is being authenticated', at: 1, owner: 0 },
    hold: ({ signIn }) => {
      signIn.hold();
      return () => signIn.give();
    },
  },
  {
    ...{ ...early, state: 'authenticated: its will is being allowed', at: 1, owner: 0 },
    hold: ({ rules }) => {
      rules.hold();
      return () => rules.give();
    },
  },
  {
    ...{ ...early, state: 'authenticated: the CONNECT before it is not through', at: 1, owner: 1 },
    hold: async ({ workers }) => {
      workers[1].gate.block('sessions.claim');
      await workers[1].dial('c', durable);
      return () => workers[1].gate.open('sessions.claim');
    },
  },
  {
    ...{ ...early, state: 'authenticated: what the client sent before takes effect', at: 0, owner: -1 },
    hold: async ({ rules, first }) => {
      rules.hold();
      await first.send(publish('slow', 'x'), publish('slow', 'y'));
      return () => rules.give();
    },
    enter: async ({ rules, world }, client) => {
      // Its own will is to be allowed at once.
      const { of } = rules;
      rules.of = (value) => value;
      client.put(connect('c', { ...durable, will: will('new', 0) }));
      await world.clock.settle();
      rules.of = of;
    },
  },
  { ...early, state: 'authenticated: the claim is on its way', at: 1, owner: -1, hold: blocked('sessions.claim', 1) },
  {
    ...early,
    state: 'authenticated: the claim is on its way, on one worker',
    at: 0,
    owner: -1,
    hold: blocked('sessions.claim', 0),
  },
  {
    ...{ ...early, state: 'authenticated: the answer to the claim is on its way', at: 1, owner: -1 },
    hold: ({ workers }) => {
      workers[1].gate.holdAnswers('sessions.claim');
      return () => workers[1].gate.openAnswers('sessions.claim');
    },
  },
  {
    ...{ ...early, state: 'claimed: the owner before is asked', at: 1, owner: -1 },
    hold: ({ workers }) => deafen(workers[0]),
  },
  {
    ...{ ...early, state: 'claimed: the will of the connection before is being made safe', at: 0, owner: -1 },
    hasWill: true,
    hold: blocked('retained.set', 0),
  },
  { ...early, state: 'handed over: it is being written', at: 1, owner: -1, hold: blocked('sessions.update', 1) },
  {
    ...early,
    state: 'handed over: it is being written, on one worker',
    at: 0,
    owner: -1,
    hold: blocked('sessions.update', 0),
  },
  { ...early, state: 'handed over: the will is being written', at: 1, owner: -1, hold: blocked('wills.set', 1) },
  {
    ...{ ...late, state: 'welcomed: some subscriptions are in force', at: 1, filters: 600, said: [] },
    hold: () => () => {},
    enter: async ({ world }, client) => {
      client.put(connect('c', { ...durable, will: will('new', 0) }));
      while (client.connection.state !== ConnectionState.connected) await world.clock.turnOnce();
    },
  },
  {
    ...{ ...late, state: 'in force: the other workers have not confirmed the routes', at: 1, said: [] },
    hold: ({ workers }) => deafen(workers[2]),
  },
  {
    ...{ ...late, state: 'confirmed: what is sent again is being read', at: 1, said: ['connack 0x00 present'] },
    hold: blocked('logs.read', 1),
  },
  {
    ...{ ...late, state: 'open', at: 1 },
    said: ['connack 0x00 present', 'publish t a q2 #1 dup', 'publish t b q1 #2 dup', 'publish t c q1 #3'],
    hold: () => () => {},
  },
];

describe.each(rows)('$state', ({ at, filters, hasWill, hold, enter, said, owner, isWillPublished }) => {
  test('its client goes away', async () => {
    const scene = await Scene.of(filters, hasWill);
    const { world, workers, publisher, watcher } = scene;
    const goOn = await hold(scene);
    const client = workers[at].socket();
    if (enter === undefined) await client.send(connect('c', { ...durable, will: will('new', 0) }));
    else await enter(scene, client);
    publisher.put(publish('t', 'c', 1, 3));
    if (enter === undefined) await world.clock.settle();
    expect(client.isClosed).toBe(false);
    expect(client.said().sort()).toEqual(said);
    await client.drop();
    goOn();
    await world.clock.pass(10_000);
    expect(client.said()).toEqual([]);
    expect(workers[at].broker.connectionCount).toBe(owner === at ? 1 : 0);
    expect(await scene.owner()).toBe(owner);
    expect(watcher.said()).toEqual(isWillPublished ? ['publish new gone q0'] : []);
    expect(await scene.comesAgain(1 - at)).toEqual([
      ...['connack 0x00 present', 'publish t a q2 #1', 'publish t b q1 #2', 'publish t c q1 #3'],
    ]);
    expect(await world.store.sessions.count()).toBe(1);
  });
});

interface FailingRow {
  state: string;
  at: 0 | 1;
  fail: (worker: Worker) => void;
  said: string[];
  /** Owner of the client identifier when the CONNECT is refused; -1: nobody. */
  owner: number;
}

const refused = (method: 'sessions.claim' | 'sessions.update' | 'wills.set' | 'logs.read') => (worker: Worker) => {
  worker.gate.refused = [method];
};
const unavailable = { said: ['connack 0x88'], owner: -1 };

const failingRows: FailingRow[] = [
  { ...unavailable, state: 'authenticated: the claim is refused', at: 1, fail: refused('sessions.claim'), owner: 0 },
  {
    ...unavailable,
    state: 'authenticated: the claim is refused, on one worker',
    at: 0,
    fail: refused('sessions.claim'),
  },
  {
    ...{ ...unavailable, state: 'authenticated: the answer to the claim is lost', at: 1, owner: 1 },
    fail: ({ gate }) => gate.failsAfter.add('sessions.claim'),
  },
  { ...unavailable, state: 'handed over: it cannot be written', at: 1, fail: refused('sessions.update') },
  {
    ...unavailable,
    state: 'handed over: it cannot be written, on one worker',
    at: 0,
    fail: refused('sessions.update'),
  },
  { ...unavailable, state: 'handed over: the will cannot be written', at: 1, fail: refused('wills.set') },
  {
    ...{ state: 'confirmed: what is sent again cannot be read', at: 1, owner: -1 },
    ...{ fail: refused('logs.read'), said: ['connack 0x00 present', 'disconnect 0x89'] },
  },
];

describe.each(failingRows)('$state', ({ at, fail, said, owner }) => {
  test('it is refused', async () => {
    const scene = await Scene.of();
    const { world, workers, publisher, watcher } = scene;
    fail(workers[at]);
    const client = await workers[at].dial('c', { ...durable, will: will('new', 0) });
    expect(client.said()).toEqual(said);
    expect(client.isClosed).toBe(true);
    workers[at].gate.refused = 'none';
    workers[at].gate.failsAfter.clear();
    await world.clock.pass(10_000);
    expect(await scene.owner()).toBe(owner);
    expect(watcher.said()).toEqual(said.length > 1 ? ['publish new gone q0'] : []);
    await publisher.send(publish('t', 'c', 1, 3));
    expect(await scene.comesAgain(1 - at)).toEqual([
      ...['connack 0x00 present', 'publish t a q2 #1', 'publish t b q1 #2', 'publish t c q1 #3'],
    ]);
  });
});
