/**
 * Shared groups with durable members. A group is stored in the shard of its filter's log, so that its cursor and its
 * reservations change in one step with the log.
 */

import {
  type DurableGroup,
  type GroupChange,
  type GroupClaim,
  type GroupKey,
  type GroupReservation,
  type StoredGroupCursor,
  StoreError,
} from '@dunlin/broker/ports';
import { isShared, matchedFilter } from '@dunlin/protocol';
import { everyShard } from './every-shard.ts';
import type { Keys, Shard } from './keys.ts';
import {
  type CursorPlace,
  type CursorStep,
  countHeader,
  type Logs,
  logsTouched,
  ownerArguments,
  type Reader,
} from './logs.ts';
import { type Script, scripts } from './scripts.ts';
import { type Argument, SingleCall, type Turn } from './turn.ts';

/** Fields that one request reads when all groups are listed. */
const scanCount = 1000;

export class Groups {
  private readonly turn: Turn;
  private readonly keys: Keys;
  private readonly logs: Logs;

  constructor(turn: Turn, keys: Keys, logs: Logs) {
    this.turn = turn;
    this.keys = keys;
    this.logs = logs;
  }

  /** Changes a session's cursors; where the filter is that of a group, its membership. */
  async cursors(reader: Reader, steps: readonly CursorStep[]): Promise<CursorPlace[]> {
    if (!steps.some(({ filter }) => isShared(filter))) return this.logs.cursors(reader, steps);
    const places = steps.map((step) =>
      isShared(step.filter) ? this.member(reader, step) : this.logs.cursors(reader, [step]).then(([place]) => place),
    );
    return Promise.all(places);
  }

  private async member({ name, clientId, owner }: Reader, { kind, filter }: CursorStep): Promise<CursorPlace> {
    // `reset`: the session was about to leave, so it leaves first.
    const changes = kind === 'remove' ? ['leave'] : kind === 'reset' ? ['leave', 'join'] : ['join'];
    const answers = await Promise.all(
      changes.map((change) =>
        this.change(scripts.groupMember, filter, [change, name, clientId, ...ownerArguments(owner)]),
      ),
    );
    const lastSequence = answers[answers.length - 1][0] as number;
    return { lastSequence, stands: lastSequence };
  }

  async list(): Promise<DurableGroup[]> {
    const found = new Map<string, number>();
    const count = ['COUNT', String(scanCount)];
    const first = await everyShard(this.turn, this.keys.l, 'HSCAN', 'groups', ['0', ...count], logsTouched);
    await Promise.all(
      first.map(async ({ shard, reply }) => {
        for (let page = reply as [Buffer, Buffer[]]; ; ) {
          const [next, fields] = page;
          for (let i = 0; i < fields.length; i += 2)
            found.set(fields[i].toString(), Number(fields[i + 1].toString().split(';')[1]));
          const cursor = next.toString();
          if (cursor === '0') return;
          const args = [`${shard.start}groups`, cursor, ...count];
          const more = this.turn.single(new SingleCall(shard.slot, false, 'HSCAN', args), logsTouched);
          page = (await more.reply) as [Buffer, Buffer[]];
        }
      }),
    );
    return Array.from(found, ([group, acknowledged]) => ({ group, acknowledged }));
  }

  async claim(group: string): Promise<GroupClaim> {
    const answer = checked({ group, epoch: 0 }, await this.change(scripts.groupClaim, group, []));
    const [, epoch, cursor, reservations] = answer as [Buffer, Buffer, Buffer, Buffer[]];
    return {
      epoch: Number(epoch.toString()),
      cursor: readCursor(cursor.toString()),
      reservations: readReservations(reservations),
    };
  }

  async update(key: GroupKey, { cursor, reservationsDelete = [] }: GroupChange): Promise<void> {
    const numbers = reservationsDelete.map(String);
    const written = cursor === undefined ? ['', ''] : [String(cursor.acknowledged), writeCursor(cursor)];
    const args = [String(key.epoch), ...written, String(numbers.length), ...numbers];
    checked(key, await this.change(scripts.groupUpdate, key.group, args));
  }

  async reserve(key: GroupKey, reservations: readonly GroupReservation[]): Promise<boolean[]> {
    const args: Argument[] = [String(key.epoch), String(reservations.length)];
    for (const { sequence, clientId, isFinal } of reservations)
      args.push(String(sequence), clientId, isFinal ? '1' : '0');
    const answer = await this.change(scripts.groupReserve, key.group, args);
    return (answer as number[]).map((stands) => stands === 1);
  }

  async reservations(group: string): Promise<GroupReservation[]> {
    const shard = this.shardOf(group);
    const call = new SingleCall(shard.slot, false, 'HGETALL', [`${shard.start}takes:${group}`]);
    const reply = await this.turn.single(call, logsTouched).reply;
    return readReservations(reply as Buffer[]);
  }

  /** Makes one change of one group, as its script says. */
  private async change(script: Script, group: string, args: readonly Argument[]): Promise<unknown[]> {
    const filter = matchedFilter(group);
    const shard = this.shardOf(group);
    const { start } = shard;
    const keys = [
      `${start}log:${filter}`,
      `${start}cursors:${filter}`,
      `${start}members:${group}`,
      `${start}takes:${group}`,
    ];
    const reply = this.turn.change(script, shard, logsTouched, keys, [filter, group, ...args], countHeader);
    this.logs.behindAppends();
    return (await reply) as unknown[];
  }

  private shardOf(group: string): Shard {
    return this.keys.shardOf('l', matchedFilter(group));
  }
}

/** Checks the status, the first element of the answer. */
function checked(key: GroupKey, answer: unknown[]): unknown[] {
  const word = String(answer[0]);
  if (word === 'unknown') throw new StoreError('unknown-group', 'this group has no durable member');
  if (word === 'fenced')
    throw new StoreError('fenced', `epoch ${key.epoch} is not the group's, which is ${String(answer[1])}`);
  return answer;
}

function writeCursor({ acknowledged, above, failed }: StoredGroupCursor): string {
  return `${acknowledged};${above.join(',')};${failed.join(',')}`;
}

function readCursor(text: string): StoredGroupCursor {
  const [acknowledged, above, failed] = text.split(';');
  return { acknowledged: Number(acknowledged), above: readNumbers(above), failed: readNumbers(failed) };
}

function readNumbers(text: string): number[] {
  return text === '' ? [] : text.split(',').map(Number);
}

/** Reads reservations from number, reservation, number, reservation … */
function readReservations(fields: readonly Buffer[]): GroupReservation[] {
  const reservations: GroupReservation[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const text = fields[i + 1].toString();
    reservations.push({
      sequence: Number(fields[i].toString()),
      clientId: text.slice(text.indexOf(';') + 1),
      isFinal: text[0] === '1',
    });
  }
  return reservations;
}
