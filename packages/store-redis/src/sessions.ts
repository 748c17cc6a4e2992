/**
 * Claims and sessions. The keys of a session change in one script call; changes in logs follow: cursors that moved,
 * producer numbers that are finished, and, when a session ends, all it had there. Changes that are still to be made in
 * logs are recorded in Redis first, so that they are made also when this process dies in between: by the next claim
 * (unfinished cursors), or by the next process that ends sessions (jobs).
 */

import { randomUUID } from 'node:crypto';
import {
  type Claim,
  type ClaimRequest,
  type DurableFilter,
  type EndpointId,
  otherUserError,
  type SessionChange,
  type SessionKey,
  type StoredSession,
  type StoredSubscription,
} from '@dunlin/broker/ports';
import { isShared } from '@dunlin/protocol';
import { type Answer, checkedAnswer } from './answers.ts';
import { producerName } from './append-call.ts';
import { everyShard, firstTime, firstUntil, type ShardReply } from './every-shard.ts';
import type { Groups } from './groups.ts';
import { Jobs, type Left, readerName } from './jobs.ts';
import type { Keys, Shard } from './keys.ts';
import { type CursorPlace, type CursorStep, countHeader, type Logs, type Reader, type ReaderOwner } from './logs.ts';
import { type Script, scripts } from './scripts.ts';
import {
  changeArguments,
  parseTime,
  readCursor,
  readInbound,
  readSession,
  readWill,
  timeText,
  type UnfinishedCursor,
  writeSubscription,
} from './session-fields.ts';
import { findSession, ownersOf } from './session-find.ts';
import { pagesOf } from './session-pages.ts';
import type { Argument, Turn } from './turn.ts';
import type { UsageBook } from './usage-book.ts';

/** Clients of an owner that are released in one round per shard. */
const ownedMax = 250;

/** Effects of a change that a log needs. */
interface Effects {
  client: string;
  shard: Shard;
  id: string;
  moved: readonly Buffer[];
  removed: readonly Buffer[];
}

function sessionKey(shard: Shard, clientId: string): string {
  return `${shard.start}session:${clientId}`;
}

export class Sessions {
  private readonly turn: Turn;
  private readonly keys: Keys;
  private readonly logs: Logs;
  private readonly groups: Groups;
  private readonly jobs: Jobs;
  private readonly usage: UsageBook;
  /**
   * Beginning of the names of ended sessions, unique to this process, and their count: no two large sessions are put
   * aside under the same name.
   */
  private readonly endedName = `ended:${randomUUID()}:`;
  private endedCount = 0;

  constructor(turn: Turn, keys: Keys, logs: Logs, groups: Groups, usage: UsageBook) {
    this.usage = usage;
    this.turn = turn;
    this.keys = keys;
    this.logs = logs;
    this.groups = groups;
    this.jobs = new Jobs(turn, keys, logs, groups);
  }

  /**
   * `sent` is called when everything that must not be overtaken is sent: a large session is read, or removed from its
   * logs, while other calls go on.
   */
  async claim(request: ClaimRequest, now: number, sent: () => void): Promise<Claim> {
    const { clientId, owner, cleanStart, sessionExpirySeconds } = request;
    const { user = '', isOwnersOnly = false, quota } = request;
    const args = [owner, cleanStart ? '1' : '0', String(sessionExpirySeconds), timeText(now)];
    args.push(user, isOwnersOnly ? '1' : '0');
    const answer = await this.usage.claim(quota && { user, quota }, (room) =>
      this.ending(scripts.claim, clientId, [...args, ...room]),
    );
    if (answer[0] === 0) throw otherUserError();
    const [epoch, previousOwner, fields, will, job, large] = answer as [
      number,
      Buffer,
      Buffer[] | null,
      Buffer | null,
      Buffer | null,
      number,
    ];
    const shard = this.shardOf(clientId);
    const claim: Claim = {
      epoch,
      previousOwner: previousOwner.toString(),
      session: null,
      will: will === null ? null : readWill(clientId, will),
    };
    if (job !== null) await this.jobs.finish([{ shard, text: job }], sent);
    if (fields === null) return claim;
    if (large === 1) sent();
    const pages = large === 1 ? pagesOf(this.turn, shard, sessionKey(shard, clientId)) : null;
    const { session, unfinished, id } = await readSession(clientId, fields, pages);
    claim.session = session;
    if (unfinished.length > 0) {
      const places = await this.finishCursors({ clientId, epoch }, id, unfinished, [], true);
      for (let i = 0; i < unfinished.length; i++) {
        const { filter, state } = unfinished[i];
        if (state !== 'G' && !isShared(filter))
          session.cursors.push({ filter, acknowledged: places[i].stands, above: [] });
      }
    }
    return claim;
  }

  async release(key: SessionKey, change: SessionChange, now: number, sent: () => void): Promise<void> {
    const args = [String(key.epoch), timeText(now), ...changeArguments(change)];
    const answer = await this.ending(scripts.release, key.clientId, args);
    const [done, id, moved, removed, job] = answer as [number, Buffer, Buffer[], Buffer[], Buffer | null];
    if (done === 0) return;
    const shard = this.shardOf(key.clientId);
    const told =
      job === null
        ? this.tellLogs({ client: key.clientId, shard, id: id.toString(), moved, removed })
        : this.jobs.finish([{ shard, text: job }], () => {});
    sent();
    await told;
  }

  async update(key: SessionKey, change: SessionChange, sent: () => void): Promise<void> {
    const args = [String(key.epoch), ...changeArguments(change)];
    const answer = checkedAnswer(key, await this.change(scripts.update, key.clientId, args));
    const [, id, moved, removed] = answer as [Buffer, Buffer, Buffer[], Buffer[]];
    const shard = this.shardOf(key.clientId);
    const told = this.tellLogs({ client: key.clientId, shard, id: id.toString(), moved, removed });
    sent();
    await told;
  }

  async subscribe(
    key: SessionKey,
    subscriptions: readonly StoredSubscription[],
    sent: () => void,
  ): Promise<DurableFilter[]> {
    const args: Argument[] = [String(key.epoch), String(subscriptions.length)];
    for (const subscription of subscriptions) {
      const { filter, qos } = subscription;
      const kind = qos > 0 ? 'durable' : isShared(filter) ? 'leaving' : 'stored';
      args.push(filter, kind, writeSubscription(subscription));
    }
    const filters = subscriptions.map(({ filter }) => filter);
    const places = await this.changeCursors(key, filters, args, sent);
    return filters.map((filter, index) => ({ filter, lastSequence: places[index] }));
  }

  /** `gone`: cursors end with the subscriptions; `ended`: cursors of subscriptions of QoS 0, which stay. */
  async removeCursors(
    key: SessionKey,
    filters: readonly string[],
    kind: 'gone' | 'ended',
    sent: () => void,
  ): Promise<void> {
    const args: Argument[] = [String(key.epoch), String(filters.length)];
    for (const filter of filters) args.push(filter, kind, '');
    await this.changeCursors(key, filters, args, sent);
  }

  /** Last number in the log of each filter, 0 where the session has no cursor. */
  private async changeCursors(
    key: SessionKey,
    filters: readonly string[],
    args: readonly Argument[],
    sent: () => void,
  ): Promise<number[]> {
    const [, id, ...states] = checkedAnswer(key, await this.change(scripts.subscribe, key.clientId, args)) as Buffer[];
    const standing: { filter: string; number: number }[] = [];
    const unfinished: UnfinishedCursor[] = [];
    for (let i = 0; i < filters.length; i++) {
      const state = states[i].toString();
      const filter = filters[i];
      if (state.startsWith('A')) standing.push({ filter, number: readCursor(filter, state).acknowledged });
      else if (state !== '') unfinished.push({ filter, state: state as UnfinishedCursor['state'] });
    }
    const places = await this.finishCursors(key, id.toString(), unfinished, standing, false, sent);
    const ends = new Map<string, number>();
    unfinished.forEach(({ filter, state }, index) => {
      ends.set(filter, state === 'G' ? 0 : places[index].lastSequence);
    });
    standing.forEach(({ filter }, index) => {
      ends.set(filter, places[unfinished.length + index].lastSequence);
    });
    return filters.map((filter) => ends.get(filter) ?? 0);
  }

  /**
   * Updates the logs to the state of the session, then records that in the session. `takesOver`: for what an earlier
   * owner has begun. Returns places of the unfinished cursors, then of the others.
   */
  private async finishCursors(
    key: SessionKey,
    id: string,
    unfinished: readonly UnfinishedCursor[],
    standing: readonly { filter: string; number: number }[],
    takesOver: boolean,
    sent?: () => void,
  ): Promise<CursorPlace[]> {
    const kinds = { P: 'add', R: 'reset', G: 'remove' } as const;
    const steps: CursorStep[] = unfinished.map(({ filter, state }) => ({ kind: kinds[state], filter }));
    // A cursor that exists is left as it is; a log that lost it gets it again.
    for (const { filter, number } of standing) steps.push({ kind: 'add', filter, number });
    const placing =
      steps.length === 0 ? [] : this.groups.cursors(this.reader(key.clientId, id, { ...key, takesOver }), steps);
    if (unfinished.length === 0) sent?.();
    const places = await placing;
    if (unfinished.length === 0) return places;
    const args = [String(key.epoch), takesOver ? '1' : '0', String(unfinished.length)];
    for (let i = 0; i < unfinished.length; i++) {
      args.push(unfinished[i].filter, unfinished[i].state, String(places[i].stands));
    }
    const finished = this.change(scripts.cursorFinish, key.clientId, args);
    sent?.();
    checkedAnswer(key, await finished);
    return places;
  }

  /** Ends a session of any owner; `due`: only if it is past its expiry. True if it ended. */
  private async end(clientId: string, now: number, due: boolean): Promise<{ ended: boolean; job: Buffer | null }> {
    const answer = await this.ending(scripts.endSession, clientId, [timeText(now), due ? '1' : '0']);
    return { ended: answer[0] === 1, job: answer[1] as Buffer | null };
  }

  async delete(clientId: string, sent: () => void): Promise<void> {
    const { job } = await this.end(clientId, 0, false);
    if (job !== null) await this.jobs.finish([{ shard: this.shardOf(clientId), text: job }], sent);
  }

  async expire(now: number, limit: number, sent: () => void): Promise<string[]> {
    const due = await this.due('expiry', now, limit);
    const ended = await Promise.all(
      due.map(async (clientId) => ({ clientId, ...(await this.end(clientId, now, true)) })),
    );
    const left: Left[] = [];
    for (const { clientId, job } of ended) if (job !== null) left.push({ shard: this.shardOf(clientId), text: job });
    await this.jobs.finish(left, sent);
    await this.jobs.finishLeft();
    return ended.filter((each) => each.ended).map(({ clientId }) => clientId);
  }

  /** Time at which the next session is to be ended: at once, where jobs of ended sessions are left. */
  async nextEnd(until: number): Promise<number> {
    const found = await Promise.all([this.nextDue('expiry', until), this.everywhere('HLEN', 'jobs', [])]);
    return found[1].length > 0 ? 0 : found[0];
  }

  async nextDue(name: 'expiry' | 'willdue', until: number): Promise<number> {
    return firstTime(await this.everywhere('ZRANGEBYSCORE', name, firstUntil(until)));
  }

  /** Client identifiers due by the sorted set of this name, over all shards, earliest first. */
  async due(name: 'expiry' | 'willdue', now: number, limit: number): Promise<string[]> {
    const range = ['-inf', timeText(now), 'WITHSCORES', 'LIMIT', '0', String(limit)];
    const found = await this.everywhere('ZRANGEBYSCORE', name, range);
    const due: { name: string; at: number }[] = [];
    for (const { reply } of found) {
      const members = reply as Buffer[];
      for (let i = 0; i < members.length; i += 2) {
        due.push({ name: members[i].toString(), at: parseTime(members[i + 1].toString()) });
      }
    }
    due.sort((a, b) => a.at - b.at);
    return due.slice(0, limit).map((each) => each.name);
  }

  /** `sent` is called after the first round: an owner of a million clients must not delay everything else. */
  async releaseOwner(owner: EndpointId, now: number, sent: () => void): Promise<void> {
    // NUL separates an owner from what it holds.
    const range = [`[${owner}\0`, `(${owner}\u0001`, 'LIMIT', '0', String(ownedMax)];
    for (let isLast = false; !isLast; ) {
      const found = await this.everywhere('ZRANGEBYLEX', 'owned', range);
      isLast = found.every(({ reply }) => (reply as Buffer[]).length < ownedMax);
      const clients = new Set<string>();
      for (const { reply } of found) {
        for (const member of reply as Buffer[]) clients.add(member.toString().slice(owner.length + 2));
      }
      const left: Left[] = [];
      await Promise.all(
        Array.from(clients, async (clientId) => {
          const [job] = await this.ending(scripts.releaseOwner, clientId, [owner, timeText(now)]);
          if (job !== null) left.push({ shard: this.shardOf(clientId), text: job as Buffer });
        }),
      );
      await this.jobs.finish(left, sent);
    }
  }

  owners(): Promise<EndpointId[]> {
    return ownersOf(this.turn, this.keys.s);
  }

  async find(clientId: string): Promise<StoredSession | null> {
    const shard = this.shardOf(clientId);
    return findSession(this.turn, shard, sessionKey(shard, clientId), clientId);
  }

  async count(): Promise<number> {
    let count = 0;
    for (const { reply } of await this.everywhere('HGET', 'counters', ['sessions'])) count += Number(reply);
    return count;
  }

  /** Returns the name of the producer in logs, when an append may go on. */
  async producer(clientId: string, epoch: number | null): Promise<Buffer | null> {
    const [valid, id] = await this.change(scripts.producerCheck, clientId, [epoch === null ? '' : String(epoch)]);
    return valid === 1 ? Buffer.from(producerName(clientId, String(id))) : null;
  }

  /** Returns false when the claim has moved. */
  async setInbound(
    key: SessionKey,
    packetId: number,
    producerNumber: number,
    digest: number,
    filters: readonly string[],
  ): Promise<boolean> {
    const shards = new Set<number>();
    for (const filter of filters) shards.add(this.logs.shardOf(filter).index);
    const inbound = `${producerNumber};${[...shards].join(',')};${digest}`;
    const args = [String(key.epoch), String(packetId), String(producerNumber), inbound];
    return (await this.change(scripts.inboundSet, key.clientId, args))[0] === 1;
  }

  /** Makes one change of one session, as its script says. */
  change(script: Script, clientId: string, args: readonly Argument[]): Promise<Answer> {
    const shard = this.shardOf(clientId);
    return this.changeKeys(script, shard, clientId, [sessionKey(shard, clientId)], args);
  }

  /** Makes one change that may end the session. */
  private ending(script: Script, clientId: string, args: readonly Argument[]): Promise<Answer> {
    const shard = this.shardOf(clientId);
    const ended = `${shard.start}${this.endedName}${++this.endedCount}`;
    return this.changeKeys(script, shard, clientId, [sessionKey(shard, clientId), ended], args);
  }

  private async changeKeys(
    script: Script,
    shard: Shard,
    clientId: string,
    keys: readonly string[],
    args: readonly Argument[],
  ): Promise<Answer> {
    return (await this.turn.change(script, shard, clientId, keys, [clientId, ...args], countHeader)) as Answer;
  }

  shardOf(clientId: string): Shard {
    return this.keys.shardOf('s', clientId);
  }

  private everywhere(command: string, name: string, args: readonly string[]): Promise<ShardReply[]> {
    return everyShard(this.turn, this.keys.s, command, name, args, null);
  }

  /** `by`: the owner that changes the logs; null: whichever it is. */
  private reader(clientId: string, id: string, by: Pick<ReaderOwner, 'epoch' | 'takesOver'> | null): Reader {
    const owner = by === null ? null : { ...by, producer: Buffer.from(producerName(clientId, id)) };
    return { name: readerName(this.shardOf(clientId), id), clientId, owner };
  }

  private async tellLogs({ client, id, moved, removed }: Effects): Promise<void> {
    const told: Promise<unknown>[] = [];
    if (moved.length > 0) {
      const steps: CursorStep[] = [];
      for (let i = 0; i < moved.length; i += 2) {
        steps.push({ kind: 'move', filter: moved[i].toString(), number: Number(moved[i + 1].toString()) });
      }
      told.push(this.logs.cursors(this.reader(client, id, null), steps));
    }
    for (const inbound of removed) {
      const { producerNumber, shards } = readInbound(inbound.toString());
      const logShards = shards.map((index) => this.logs.shards[index]);
      told.push(this.logs.forgetProducer(producerName(client, id), producerNumber, logShards));
    }
    if (told.length > 0) await Promise.all(told);
  }
}
