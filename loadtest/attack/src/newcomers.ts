import { Conversation, subscribePacket } from '@dunlin/testkit';
import type { NewcomerFigures } from './row-result.ts';
import { type Address, healthyUsers } from './target.ts';

/** The first users are those of the bystanders, who are remembered. */
const firstUser = 10;
const everyMilliseconds = 1000;
/** A client that has no answer by then goes away; one that has no connection after half of it does, too. */
const patienceMilliseconds = 10_000;
/** Filter of an operator: one wildcard level. */
const plainFilter = 'devices/+/status';

/** Healthy clients that come, sign in with a right password that no cache knows, subscribe, and leave: one a second. */
export class Newcomers {
  readonly #address: Address;
  readonly #underWay = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #tried = 0;
  #refused = 0;
  #late = 0;
  #refusedFilters = 0;
  #slowest = 0;

  constructor(address: Address) {
    this.#address = address;
  }

  begin(): void {
    this.#timer = setInterval(() => {
      const one = this.#come().finally(() => this.#underWay.delete(one));
      this.#underWay.add(one);
    }, everyMilliseconds);
  }

  /** No more come; resolves when the last one is through, or has given up. */
  async end(): Promise<NewcomerFigures> {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
    return {
      tried: this.#tried,
      refused: this.#refused,
      late: this.#late,
      slowest: this.#slowest,
      refusedFilters: this.#refusedFilters,
    };
  }

  async #come(): Promise<void> {
    const user = healthyUsers[firstUser + (this.#tried++ % (healthyUsers.length - firstUser))];
    const startedAt = performance.now();
    let client: Conversation | undefined;
    try {
      client = await Conversation.open(`mqtt://${this.#address.host}:${this.#address.port}`);
      client.sendConnect({ clientId: `newcomer-${this.#tried}`, userName: user, password: user });
      const connack = await client.expect('connack', patienceMilliseconds);
      if (connack.reasonCode !== 0) throw new Error(`refused with ${connack.reasonCode}`);
      client.send(subscribePacket({ filter: plainFilter, qos: 0 }));
      const { reasonCodes } = await client.expectAmong('suback', patienceMilliseconds);
      if (reasonCodes[0] >= 0x80) this.#refusedFilters++;
      this.#slowest = Math.max(this.#slowest, performance.now() - startedAt);
    } catch {
      if (performance.now() - startedAt < patienceMilliseconds / 2) this.#refused++;
      else this.#late++;
    } finally {
      await client?.drop().catch(() => {});
    }
  }
}
