/**
 * Three brokers on one store, a backplane that loses, delays and is cut, and shared groups with durable members that join, leave, break off, move and die
 * with their brokers, from a seed. What was acknowledged to its publisher while the group existed is acknowledged by a member, or is still in the log
 * (P1, P3); what was published with QoS 2 reached exactly one client (P2); nothing hangs.
 *
 * Seen to fail: with most seeds when a member's messages are not given back (GroupMembers.sessionEnded returns at once), and when takes of a leader that was
 * replaced are accepted (MemoryGroups.take without its check of the epoch); with some when its writes are (MemoryGroups.update without it), and when an endpoint
 * that is gone keeps its messages (GroupLeader.endpointLeft without `deliveredInVain`). group-reservations.test.ts stops at each step of the rest.
 */
import { expect, test } from 'vitest';
import { LossyHub } from './support/lossy-backplane.ts';
import { PatientClient } from './support/patient-client.ts';
import { StormWorld } from './support/storm-world.ts';
import { type Worker, World } from './support/world.ts';

/** The last ones have each found something once. */
const seeds = [...Array.from({ length: 150 }, (_, i) => i + 1), 1418, 2250, 2398, 2456, 2551, 8884];
const stepsPerSeed = 50;
const filter = 'jobs/+';
const group = `$share/g/${filter}`;
/** Longer than any leader is waited for, and any frame is late, once all is healed. */
const healMilliseconds = 30_000;
const options = {
  limits: { routeConfirmMilliseconds: 3_600_000, groupDeliveriesMax: 0, inflightMax: 5, logPageMessages: 7 },
};

interface Sent {
  payload: string;
  qos: 0 | 1 | 2;
  publisher: PatientClient;
}

class Storm extends StormWorld {
  readonly publishers: PatientClient[] = [];
  readonly members: PatientClient[] = [];
  readonly sent: Sent[] = [];
  private made = 0;

  static async begin(seed: number): Promise<Storm> {
    const strategies = ['round-robin', 'least-inflight', 'hash-topic', 'hash-client', 'sticky', 'local-first'] as const;
    const limits = { ...options.limits, sharedStrategy: strategies[seed % strategies.length] };
    const { world, workers } = await World.of(3, { limits, hub: (clock) => new LossyHub(clock, seed) });
    const storm = new Storm(seed, world, workers);
    for (const worker of workers) storm.addPublisher(worker);
    // The keeper's session lasts, so the group does, whoever comes and goes.
    const keeper = storm.addMember(workers[0], true);
    keeper.subscribe(group, 2);
    await storm.pass(3000);
    expect(keeper.subscribed).toEqual([group]);
    return storm;
  }

  private addPublisher(worker: Worker): void {
    const publisher = new PatientClient(`p${this.made++}`, true);
    publisher.connect(worker);
    this.publishers.push(publisher);
  }

  private addMember(worker: Worker, isDurable: boolean): PatientClient {
    const member = new PatientClient(`${isDurable ? 'd' : 'e'}${this.made++}`, isDurable);
    member.leaves = () => this.random.chance(0.2);
    member.connect(worker);
    this.members.push(member);
    return member;
  }

  get clients(): PatientClient[] {
    return [...this.publishers, ...this.members];
  }

  private publish(): void {
    const usable = this.publishers.filter((client) => !client.isLost && client.isConnected);
    if (usable.length === 0) return;
    const publisher = this.random.of(usable);
    for (let count = 1 + this.random.below(6); count > 0; count--) {
      const qos = this.random.of([1, 1, 2, 2, 0] as const);
      const payload = `${publisher.name}-${this.sent.length}`;
      this.sent.push({ payload, qos, publisher });
      publisher.publish(`jobs/${this.random.below(3)}`, payload, qos);
    }
  }

  private weather(): void {
    const { random, hub } = this;
    switch (random.below(5)) {
      case 0:
        hub.dropProbability = random.of([0.05, 0.3, 0.7]);
        break;
      case 1:
        hub.delayMillisecondsMax = random.of([100, 900]);
        break;
      case 2:
        hub.cut(random.of(this.workers).broker.self, random.of(this.workers).broker.self);
        break;
      default:
        hub.heal();
    }
  }

  /** Somebody joins, breaks off, comes back, or moves. */
  private move(): void {
    const { random } = this;
    const worker = random.of(this.workers);
    const settled = this.members.filter((one) => !one.isLost && one.openSubscriptions === 0);
    const one = settled.length === 0 ? null : random.of(settled);
    const what = random.next();
    if (one === null || what < 0.3) {
      if (this.members.filter((other) => !other.isLost).length > 8) return;
      this.addMember(worker, random.chance(0.6)).subscribe(group, random.of([1, 2, 2]));
    } else if (what < 0.6) {
      one.breakOff();
      if (!one.isDurable) one.isLost = true;
    } else if (one.isDurable) {
      one.connect(worker);
    }
  }

  /** A worker dies, and another joins whatever the weather. Durable clients go elsewhere, sooner or later. */
  private async replace(): Promise<void> {
    const dead = await this.crashOne();
    for (const client of this.clients) {
      if (client.worker !== dead || client.isLost) continue;
      client.isLost = !client.isDurable || client.openSubscriptions > 0 || this.publishers.includes(client);
      client.isConnected = false;
      if (!client.isLost && this.random.chance(0.7)) client.connect(this.random.of(this.workers));
    }
    const next = await this.join({ limits: { ...dead.broker.limits } });
    this.addPublisher(next);
  }

  async step(): Promise<void> {
    const what = this.random.next();
    if (what < 0.45) this.publish();
    else if (what < 0.7) this.move();
    else if (what < 0.78) this.weather();
    else if (what < 0.82) await this.replace();
    else await this.pass(this.random.of([50, 150, 750, 2500]));
    if (this.random.chance(0.7)) await this.rest();
  }

  async end(): Promise<void> {
    this.hub.heal();
    for (const client of this.members) {
      client.answerAll();
      if (client.isDurable && !client.isLost && client.openSubscriptions === 0)
        client.connect(this.random.of(this.workers));
    }
    await this.pass(healMilliseconds);
  }

  private receivers(payload: string): { all: string[]; acknowledged: number } {
    const all: string[] = [];
    let acknowledged = 0;
    for (const member of this.members) {
      for (const got of member.got) if (got.payload === payload) all.push(`${member.name} q${got.qos}`);
      if (member.answered.has(payload)) acknowledged++;
    }
    return { all, acknowledged };
  }

  /** Messages in the log that are not done with. */
  private async waiting(): Promise<Set<string>> {
    const { entries } = await this.world.store.logs.read(filter, 1, 1e6, 1e9, this.world.clock.now());
    return new Set(entries.map(({ record }) => /p\d+-\d+$/.exec(Buffer.from(record).toString('latin1'))?.[0] ?? ''));
  }

  async check(): Promise<void> {
    for (const client of this.clients.filter((one) => !one.isLost)) {
      expect(client.isConnected, `${client.name} is not connected`).toBe(true);
      expect(client.openSubscriptions, `SUBACKs that ${client.name} waits for`).toBe(0);
      expect(client.openPublishes, `publishes of ${client.name} without an end`).toBe(0);
    }
    const waiting = await this.waiting();
    const [{ acknowledged }] = await this.world.store.groups.list();
    const [end] = await this.world.store.logs.ends([filter]);
    expect(acknowledged, 'the group is not through with its log').toBe(end);
    expect(await this.world.store.groups.reservations(group)).toEqual([]);
    for (const { payload, qos, publisher } of this.sent) {
      if (qos === 0) continue;
      const { all, acknowledged: times } = this.receivers(payload);
      if (publisher.acknowledged.has(payload) && qos === 1)
        expect(times > 0 || waiting.has(payload), `${payload} of QoS 1, got by ${all}`).toBe(true);
      if (qos === 2) this.checkQos2(payload, all, publisher.acknowledged.has(payload));
    }
  }

  /** Exactly once, unless an ephemeral member took it along, or a member whose own QoS is 1 got it. */
  private checkQos2(payload: string, all: string[], isAcknowledged: boolean): void {
    const what = `${payload} of QoS 2, got by ${all}`;
    const exact = all.filter((got) => got.endsWith('q2'));
    if (all.length === exact.length) expect(all.length, what).toBeLessThan(2);
    expect(exact.length, what).toBeLessThan(2);
    const mayBeTaken = this.members.some((member) => !member.isDurable && member.isLost);
    if (isAcknowledged && !mayBeTaken) expect(all.length, what).toBeGreaterThan(0);
  }
}

test.each(seeds)('seed %i', { timeout: 60_000 }, async (seed) => {
  const storm = await Storm.begin(seed);
  for (let step = 0; step < stepsPerSeed; step++) await storm.step();
  await storm.end();
  await storm.check();
});
