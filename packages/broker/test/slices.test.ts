/**
 * A session of many filters is put in force, and taken out of force, in slices: whatever comes between two of them, nothing acknowledged is lost, no message of
 * QoS 2 comes twice, and nothing of the session stays where it is not.
 *
 * Fails when `putInForce` does not look at `session.hasEnded`, when those with messages in flight do not come first, and when `unstoredCursors` leaves out those
 * that the store has not heard of, or those that are on their way to it.
 */
import { expect, test } from 'vitest';
import { sliceItems } from '../src/work/in-slices.ts';
import { PatientClient } from './support/patient-client.ts';
import { type Worker, World } from './support/world.ts';

const filterCount = 2 * sliceItems + 100;
const probes = [0, sliceItems - 1, sliceItems, 2 * sliceItems + 1, filterCount - 1];
const group = '$share/g/shared';
const durable = { cleanStart: false, expiry: 10_000 } as const;
/** Turns from before the claim is answered until all is in force. */
const turns = Array.from({ length: 9 }, (_, i) => i);

const qosOf = (index: number): 1 | 2 => (index % 2 === 0 ? 1 : 2);
const topicOf = (index: number): string => `f/${index}`;

class Slices {
  readonly world: World;
  readonly workers: Worker[];
  /** The worker that has the session at the beginning. */
  readonly former: Worker;
  readonly subscriber = new PatientClient('d', true);
  readonly member = new PatientClient('m', false);
  readonly publisher = new PatientClient('p', false);
  private sent = 0;

  private constructor(world: World, workers: Worker[]) {
    this.world = world;
    this.workers = workers;
    this.former = workers[0];
  }

  static async begin(): Promise<Slices> {
    const { world, workers } = await World.of(3);
    const slices = new Slices(world, workers);
    const { subscriber, member, publisher } = slices;
    subscriber.connect(workers[0]);
    member.connect(workers[2]);
    publisher.connect(workers[2]);
    await slices.rest();
    for (let i = 0; i < filterCount; i++) subscriber.subscribe(topicOf(i), qosOf(i));
    subscriber.subscribe(group, 1);
    member.subscribe(group, 1);
    await slices.rest();
    return slices;
  }

  publish(): void {
    this.sent++;
    for (const index of probes) this.publisher.gather(topicOf(index), `${topicOf(index)} ${this.sent}`, qosOf(index));
    for (let i = 0; i < 4; i++) this.publisher.gather('shared', `shared ${this.sent} ${i}`, 1);
    this.publisher.sendGathered();
  }

  /** Messages that are not answered, and others that were, of which the store knows nothing yet: `isUnderWay`: it is being told. */
  async leaveUnfinished(isUnderWay: boolean): Promise<void> {
    const { subscriber, former, world } = this;
    subscriber.leaves = () => true;
    this.publish();
    await this.rest();
    subscriber.leaves = () => false;
    this.publish();
    await this.rest();
    if (!isUnderWay) return;
    former.gate.block('sessions.update');
    await world.clock.pass(200);
  }

  async rest(): Promise<void> {
    for (let busy = true; busy; ) {
      await this.world.clock.settle();
      busy = false;
      for (const client of [this.subscriber, this.member, this.publisher]) if (client.work()) busy = true;
    }
  }

  async crash(worker: Worker): Promise<void> {
    this.workers.splice(this.workers.indexOf(worker), 1);
    await worker.crash();
    await this.world.store.sessions.releaseOwner(worker.broker.self, this.world.clock.now());
  }

  /** The subscriber is here and answers everything; one more message of each kind comes once. */
  async expectWhole(): Promise<void> {
    const { subscriber, publisher, member, world } = this;
    subscriber.answerAll();
    await this.rest();
    if (!subscriber.isConnected || subscriber.isClosed) subscriber.connect(this.workers[0]);
    await this.rest();
    for (let second = 0; second < 12; second++) {
      await world.clock.pass(1000);
      await this.rest();
    }
    this.publish();
    await this.rest();
    expect(publisher.openPublishes).toBe(0);
    const payloads = subscriber.got.map(({ payload }) => payload);
    for (let sent = 1; sent <= this.sent; sent++) {
      for (const index of probes) {
        const times = payloads.filter((payload) => payload === `${topicOf(index)} ${sent}`).length;
        expect(times, `${topicOf(index)} ${sent}`).toBeGreaterThan(0);
        // QoS 1 comes again where its acknowledgement was lost; one that was sent when all was at rest does not.
        if (qosOf(index) === 2 || sent === this.sent) expect(times, `${topicOf(index)} ${sent}`).toBe(1);
      }
      const shared = [...payloads, ...member.got.map(({ payload }) => payload)];
      for (let i = 0; i < 4; i++) expect(shared).toContain(`shared ${sent} ${i}`);
    }
    const counts = this.workers.map(
      ({ broker: { metrics } }) => metrics.subscriptionsAdded - metrics.subscriptionsRemoved,
    );
    // The member of the group has one, wherever it is.
    expect(counts.filter((count) => count >= filterCount + 1)).toHaveLength(1);
    expect(counts.reduce((sum, count) => sum + count)).toBe(filterCount + 2);
    for (const { broker } of this.workers) expect(broker.metrics.messagesWaiting).toBe(0);
  }
}

/** Beginnings of a session's move; what comes so many turns later. */
const moves = {
  'to another worker, whose client still stands there': async ({ workers, subscriber }: Slices) => {
    await workers[1].dial('d', durable);
    subscriber.connect(workers[1]);
  },
  'to another worker': async ({ workers, subscriber }: Slices) => subscriber.connect(workers[1]),
  'on its worker': async ({ workers, subscriber }: Slices) => subscriber.connect(workers[0]),
};
const events = {
  'messages come': async (slices: Slices) => slices.publish(),
  'it is taken over by a third worker': async ({ workers, subscriber }: Slices) => subscriber.connect(workers[2]),
  'it is taken back': async ({ workers, subscriber }: Slices) => subscriber.connect(workers[0]),
  'its connection ends': async ({ subscriber }: Slices) => subscriber.breakOff(),
  'its worker dies': async (slices: Slices) => {
    const { worker } = slices.subscriber;
    if (worker !== null) await slices.crash(worker);
    slices.subscriber.connect(slices.workers[0]);
  },
};

test.each(Object.keys(moves).flatMap((move) => Object.keys(events).map((event) => [move, event] as const)))(
  'it moves %s, and between two slices %s',
  async (move, event) => {
    for (const count of turns) {
      const slices = await Slices.begin();
      await slices.leaveUnfinished(count % 2 === 0);
      await moves[move as keyof typeof moves](slices);
      slices.publish();
      for (let i = 0; i < count; i++) await slices.world.clock.turnOnce();
      await events[event as keyof typeof events](slices);
      slices.publish();
      await slices.rest();
      slices.former.gate.open('sessions.update');
      await slices.expectWhole();
    }
  },
  60_000,
);
