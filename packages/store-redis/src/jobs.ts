/**
 * Jobs that ended sessions have left in logs: cursors and producer numbers to be removed. The script that ends a
 * session writes the job (session-parts.lua); the process that ended it does the job, or else the next one that ends
 * sessions. Doing it twice has the effect of once.
 */
import { producerName } from './append-call.ts';
import { everyShard } from './every-shard.ts';
import type { Groups } from './groups.ts';
import type { Keys, Shard } from './keys.ts';
import type { CursorStep, Logs } from './logs.ts';
import { pagesOf } from './session-pages.ts';
import { SingleCall, type Turn } from './turn.ts';

/** Job as written by session-parts.lua. An empty list is an object in Lua's JSON. */
interface Job {
  id: string;
  client: string;
  producer: 0 | 1;
  filters: string[] | Record<string, never>;
  /** Key that a large session was put aside under, whose cursors are the filters. */
  ended?: string;
}

/** A job, and the shard of its session. */
export interface Left {
  readonly shard: Shard;
  readonly text: Buffer;
}

/** Jobs of dead processes that one round takes up. */
const jobsMax = 100;

/** Name of a session of this shard in logs. */
export function readerName(shard: Shard, id: string): string {
  return `${shard.index}.${id}`;
}

export class Jobs {
  private readonly turn: Turn;
  private readonly keys: Keys;
  private readonly logs: Logs;
  private readonly groups: Groups;

  constructor(turn: Turn, keys: Keys, logs: Logs, groups: Groups) {
    this.turn = turn;
    this.keys = keys;
    this.logs = logs;
    this.groups = groups;
  }

  /**
   * Finishes the jobs, and deletes each. `sent` is called when the jobs of small sessions are sent: no caller waits for
   * those of large ones.
   */
  async finish(left: readonly Left[], sent: () => void): Promise<void> {
    const all = left.map(({ shard, text }) => ({ shard, job: JSON.parse(text.toString()) as Job }));
    const small = all.filter(({ job }) => job.ended === undefined).map(({ shard, job }) => this.work(shard, job));
    const large = all.filter(({ job }) => job.ended !== undefined).map(({ shard, job }) => this.work(shard, job));
    await Promise.all([Promise.all(small).then(sent), ...large]);
  }

  private async work(shard: Shard, job: Job): Promise<void> {
    const { id, client, producer, filters, ended } = job;
    const reader = { name: readerName(shard, id), clientId: client, owner: null };
    const remove = async (some: readonly string[]): Promise<void> => {
      const steps: CursorStep[] = some.map((filter) => ({ kind: 'remove', filter }));
      if (steps.length > 0) await this.groups.cursors(reader, steps);
    };
    const told = [remove(Array.isArray(filters) ? filters : [])];
    if (producer === 1) told.push(this.logs.forgetProducer(producerName(client, id), null, this.logs.shards));
    await Promise.all(told);
    if (ended !== undefined) await this.takeApart(shard, ended, remove);
    await this.turn.single(new SingleCall(shard.slot, true, 'HDEL', [`${shard.start}jobs`, id]), 'jobs').reply;
  }

  private async takeApart(
    shard: Shard,
    ended: string,
    remove: (filters: readonly string[]) => Promise<void>,
  ): Promise<void> {
    for await (const fields of pagesOf(this.turn, shard, ended)) {
      const some: string[] = [];
      for (let i = 0; i < fields.length; i += 2) {
        const name = fields[i].toString();
        if (name.startsWith('k:')) some.push(name.slice(2));
      }
      await remove(some);
    }
    await this.turn.single(new SingleCall(shard.slot, true, 'UNLINK', [ended]), ended).reply;
  }

  /** Finishes the jobs that dead processes have left. */
  async finishLeft(): Promise<void> {
    const found = await everyShard(this.turn, this.keys.s, 'HSCAN', 'jobs', ['0', 'COUNT', String(jobsMax)], null);
    const left: Left[] = [];
    for (const { shard, reply } of found) {
      const [, fields] = reply as [Buffer, Buffer[]];
      for (let place = 1; place < fields.length; place += 2) left.push({ shard, text: fields[place] });
    }
    await this.finish(left, () => {});
  }
}
