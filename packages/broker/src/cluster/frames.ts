/**
 * What endpoints send each other. Every frame begins with the version of the format and its type.
 *
 * | type | body | meaning |
 * | --- | --- | --- |
 * | routes | sequence, snapshot flag, changes | what the sender wants to be sent; answered by `confirm` with the sequence |
 * | confirm | sequence | all route changes up to it are in force here, and what was retained here before is readable |
 * | messages | link sequence, entries | publishes for subscribers at the receiver |
 * | acknowledge | link sequence | all frames of messages up to it were handed to their sessions |
 * | request | id, kind, body | asks for something, such as letting go of a client |
 * | response | id, body | the answer |
 * | statistics | counters | what the sender counts, for `$SYS` |
 */
import { parseShare } from '@dunlin/protocol';
import { FrameError, type FrameReader, type FrameWriter } from './wire.ts';

export const frameVersion = 1;
export const FrameType = {
  routes: 1,
  confirm: 2,
  messages: 3,
  acknowledge: 4,
  request: 5,
  response: 6,
  statistics: 7,
} as const;

/** `count` is the number of members of a group at the sender; for a durable filter the last number of its log. */
export interface RouteChange {
  kind: 'add' | 'remove' | 'group' | 'durable';
  filter: string;
  count: number;
}
const routeKinds: RouteChange['kind'][] = ['add', 'remove', 'group', 'durable'];

export function writeRoutes(
  writer: FrameWriter,
  sequence: number,
  snapshot: boolean,
  changes: readonly RouteChange[],
): void {
  writer.u8(frameVersion);
  writer.u8(FrameType.routes);
  writer.u32(sequence);
  writer.u8(snapshot ? 1 : 0);
  for (const change of changes) {
    writer.u8(routeKinds.indexOf(change.kind));
    writer.text(change.filter);
    writer.f64(change.count);
  }
}

export function readRoutes(reader: FrameReader): { sequence: number; snapshot: boolean; changes: RouteChange[] } {
  const sequence = reader.u32();
  const snapshot = reader.u8() === 1;
  const changes: RouteChange[] = [];
  while (!reader.isAtEnd) {
    const kind = routeKinds[reader.u8()];
    const filter = reader.text();
    if (kind === undefined) throw new FrameError('a route change of an unknown kind');
    if (kind === 'group' && parseShare(filter) === null) throw new FrameError(`"${filter}" is no shared group`);
    changes.push({ kind, filter, count: reader.f64() });
  }
  return { sequence, snapshot, changes };
}

/** One publish for the receiver: its record, the groups that it shall choose a member of, and the numbers it has in logs. */
export interface MessageEntry {
  record: Buffer;
  /** False: it is for `groups` alone. */
  toSubscriptions: boolean;
  groups: string[];
  logs: { filter: string; sequence: number }[];
}

export function writeMessage(writer: FrameWriter, entry: MessageEntry): void {
  writer.u8(entry.toSubscriptions ? 1 : 0);
  writer.u32(entry.groups.length);
  for (const group of entry.groups) writer.text(group);
  writer.u32(entry.logs.length);
  for (const log of entry.logs) {
    writer.text(log.filter);
    writer.f64(log.sequence);
  }
  writer.block(entry.record);
}

export function readMessage(reader: FrameReader): MessageEntry {
  const toSubscriptions = reader.u8() === 1;
  const groups: string[] = [];
  for (let left = reader.u32(); left > 0; left--) groups.push(reader.text());
  const logs: { filter: string; sequence: number }[] = [];
  for (let left = reader.u32(); left > 0; left--) logs.push({ filter: reader.text(), sequence: reader.f64() });
  return { toSubscriptions, groups, logs, record: reader.block() };
}
