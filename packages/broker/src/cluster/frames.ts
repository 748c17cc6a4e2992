/**
 * Frames between endpoints: their table, and how each is written and read. Every frame begins with the version of the
 * format (u8) and its type (u8).
 *
 * | type | body | meaning |
 * | --- | --- | --- |
 * | routes | sequence, changes | changes in the set of filters that the sender wants; to all; answered by `confirm` |
 * | snapshot | id, part, last flag, sequence, changes | the sender's whole set as of the sequence, in parts |
 * | wanted | sequence, whole flag | "I have your changes up to here: send me the rest, or everything" |
 * | digest | sequence, confirm flag, digests | digests of the sets, so that a lost change shows (ARCHITECTURE.md, section 5) |
 * | confirm | sequence | all route changes up to it are in force here, and messages retained here before are readable |
 * | kept | link, sequence, first, round, entries | publishes that need an acknowledgement and are sent again without one; control messages of groups (entries.ts) |
 * | passing | link, position, entries | publishes that are sent once |
 * | broadcast | position, entries | the same, to all endpoints alike |
 * | acknowledge | link, sequence, round, gap flag, positions | how far kept, passing and broadcast frames were accepted |
 * | request | id, client identifier, clean start, epoch; the user that it is asked for, if it matters | asks the owner of a session to release it |
 * | response | id, body | the answer |
 * | statistics | counters | counters of the sender, for `$SYS` |
 * | query | id, body | a question of an operator (ports/client-record.ts); a release that does not know it gives no answer |
 * | answer | id, body | the answer to `query` |
 *
 * Versions: an endpoint reads its own version of the format and the one before (`readableVersions`). A release that
 * changes the format reads both and still writes the older; the release after it writes the newer. So nodes that are
 * upgraded one release at a time never receive a frame that they cannot read.
 */
import { parseShare } from '@dunlin/protocol';
import type { Digest } from '../logs/set-digest.ts';
import { FrameError, type FrameReader, type FrameWriter } from '../message/wire.ts';

/** Version that is written. */
export const frameVersion = 1;
/** Versions that are read: this one and, once there is one, the one before. */
export const readableVersions: readonly number[] = [1];

export const FrameType = {
  routes: 1,
  confirm: 2,
  kept: 3,
  acknowledge: 4,
  request: 5,
  response: 6,
  statistics: 7,
  passing: 8,
  broadcast: 9,
  snapshot: 10,
  wanted: 11,
  digest: 12,
  query: 13,
  answer: 14,
} as const;

/**
 * Size at which a frame is sent: larger ones would only wait. A frame is larger only where a single message or filter
 * is. Only the answer to a request has no bound of its own, since it holds what a session has in flight.
 */
export const frameBytesMax = 64 * 1024;
/** Size at which a frame of route changes ends: another filter of usual length still fits into a frame. */
export const routesBytesMax = 16 * 1024;

export function beginFrame(writer: FrameWriter, type: number): void {
  writer.u8(frameVersion);
  writer.u8(type);
}

/** The type of a frame. Throws FrameError for one of another version. */
export function readFrameType(reader: FrameReader): number {
  const version = reader.u8();
  if (!readableVersions.includes(version))
    throw new FrameError(`a frame of version ${version}; known are ${readableVersions.join(', ')}`);
  return reader.u8();
}

/** Frames about the routes of the sender. */
export function isAboutRoutes(bytes: Uint8Array): boolean {
  const type = bytes[1];
  return type === FrameType.routes || type === FrameType.snapshot || type === FrameType.digest;
}

/**
 * Change that other endpoints must know of.
 *
 * | kind | meaning | count |
 * | --- | --- | --- |
 * | add | the filter has subscribers that get messages from frames | 0 |
 * | logged | it has durable subscribers alone, with a log for QoS above 0: a lost frame costs them a delay | 0 |
 * | remove | it has no subscriber any more | 0 |
 * | group | a shared group, by its whole name | its members there; `logged`: how many of them have a QoS above 0 |
 * | durable | the filter has a log, or the group, by its whole name | the last number known of it; of a group 0 |
 */
export interface RouteChange {
  kind: 'add' | 'remove' | 'group' | 'durable' | 'logged';
  filter: string;
  count: number;
  /** Logged members of a group. */
  logged?: number;
}
export const routeKinds: readonly RouteChange['kind'][] = ['add', 'remove', 'group', 'durable', 'logged'];

export function writeChange(writer: FrameWriter, change: RouteChange): void {
  writer.u8(routeKinds.indexOf(change.kind));
  writer.text(change.filter);
  writer.f64(change.count);
  if (change.kind === 'group') writer.f64(change.logged ?? 0);
}

function readChanges(reader: FrameReader): RouteChange[] {
  const changes: RouteChange[] = [];
  while (!reader.isAtEnd) {
    const kind = routeKinds[reader.u8()];
    const filter = reader.text();
    if (kind === undefined) throw new FrameError('a route change of an unknown kind');
    if (kind === 'group' && parseShare(filter) === null) throw new FrameError(`"${filter}" is not a shared group`);
    const count = reader.f64();
    changes.push(kind === 'group' ? { kind, filter, count, logged: reader.f64() } : { kind, filter, count });
  }
  return changes;
}

/** Writes as many of the changes from `start` on as fit into one frame. Returns the index of the first that is left. */
export function writeRoutes(
  writer: FrameWriter,
  sequence: number,
  changes: readonly RouteChange[],
  start: number,
): number {
  beginFrame(writer, FrameType.routes);
  writer.f64(sequence);
  let at = start;
  while (at < changes.length && writer.length < routesBytesMax) writeChange(writer, changes[at++]);
  return at;
}

export function readRoutes(reader: FrameReader): { sequence: number; changes: RouteChange[] } {
  return { sequence: reader.f64(), changes: readChanges(reader) };
}

export interface SnapshotPart {
  /** Id of the snapshot, the same in all parts. */
  id: number;
  /** 0, 1, 2 … */
  part: number;
  isLast: boolean;
  sequence: number;
  changes: RouteChange[];
}

const isLastAt = 2 + 4 + 4;

/** Writes the head of a part; `writeChange` adds the changes. It is not the last part until `markLast` is called. */
export function beginSnapshotPart(writer: FrameWriter, id: number, part: number, sequence: number): void {
  beginFrame(writer, FrameType.snapshot);
  writer.u32(id);
  writer.u32(part);
  writer.u8(0);
  writer.f64(sequence);
}

export function markLast(writer: FrameWriter): void {
  writer.u8At(isLastAt, 1);
}

export function readSnapshotPart(reader: FrameReader): SnapshotPart {
  return {
    id: reader.u32(),
    part: reader.u32(),
    isLast: reader.u8() === 1,
    sequence: reader.f64(),
    changes: readChanges(reader),
  };
}

export function writeWanted(writer: FrameWriter, sequence: number, isWhole: boolean): void {
  beginFrame(writer, FrameType.wanted);
  writer.f64(sequence);
  writer.u8(isWhole ? 1 : 0);
}

export function readWanted(reader: FrameReader): { sequence: number; isWhole: boolean } {
  return { sequence: reader.f64(), isWhole: reader.u8() === 1 };
}

export interface EndpointDigest {
  /** Sequence of the last route change in the set. */
  sequence: number;
  /** A client of the sender waits for a confirmation. */
  wantsConfirm: boolean;
  routes: Digest;
  durable: Digest;
}

export function writeDigest(writer: FrameWriter, digest: EndpointDigest): void {
  beginFrame(writer, FrameType.digest);
  writer.f64(digest.sequence);
  writer.u8(digest.wantsConfirm ? 1 : 0);
  for (const { count, first, second } of [digest.routes, digest.durable]) {
    writer.u32(count);
    writer.u32(first);
    writer.u32(second);
  }
}

export function readDigest(reader: FrameReader): EndpointDigest {
  const one = (): Digest => ({ count: reader.u32(), first: reader.u32(), second: reader.u32() });
  return { sequence: reader.f64(), wantsConfirm: reader.u8() === 1, routes: one(), durable: one() };
}

/** The head of a kept frame; entries follow. */
export interface KeptHead {
  /** Id of the link, new whenever the sender begins anew with this receiver. */
  link: number;
  sequence: number;
  /** The lowest sequence that the sender still keeps: all before it are settled. */
  first: number;
  /** Number of times that the sender has begun to send again. */
  round: number;
}

const firstAt = 2 + 4 + 8;
const roundAt = firstAt + 8;

export function writeKeptHead(writer: FrameWriter, head: KeptHead): void {
  beginFrame(writer, FrameType.kept);
  writer.u32(head.link);
  writer.f64(head.sequence);
  writer.f64(head.first);
  writer.u32(head.round);
}

/** A copy of a kept frame, to be sent again: the bytes that were sent before belong to the backplane. */
export function repeatKept(bytes: Uint8Array, first: number, round: number): Uint8Array {
  const copy = new Uint8Array(bytes);
  const view = new DataView(copy.buffer);
  view.setFloat64(firstAt, first);
  view.setUint32(roundAt, round);
  return copy;
}

export function readKeptHead(reader: FrameReader): KeptHead {
  return { link: reader.u32(), sequence: reader.f64(), first: reader.f64(), round: reader.u32() };
}

export interface Acknowledgement {
  link: number;
  /** All kept frames up to this sequence were handed to their sessions. */
  sequence: number;
  /** Round of the newest kept frame that came. */
  round: number;
  /** Frames after a gap came, and were dropped. */
  isGap: boolean;
  /** Bytes of passing frames on this link that were accepted, or lost before some that were. */
  passing: number;
  /** The same of broadcast frames. */
  broadcast: number;
}

export function writeAcknowledgement(writer: FrameWriter, acknowledgement: Acknowledgement): void {
  beginFrame(writer, FrameType.acknowledge);
  writer.u32(acknowledgement.link);
  writer.f64(acknowledgement.sequence);
  writer.u32(acknowledgement.round);
  writer.u8(acknowledgement.isGap ? 1 : 0);
  writer.f64(acknowledgement.passing);
  writer.f64(acknowledgement.broadcast);
}

export function readAcknowledgement(reader: FrameReader): Acknowledgement {
  return {
    link: reader.u32(),
    sequence: reader.f64(),
    round: reader.u32(),
    isGap: reader.u8() === 1,
    passing: reader.f64(),
    broadcast: reader.f64(),
  };
}

/** A question to the owner of a session. */
export interface SessionRequestFrame {
  id: number;
  clientId: string;
  cleanStart: boolean;
  epoch: number;
  /** User that connected elsewhere; null: the store has compared it, or anybody may. An earlier release neither sends nor reads it. */
  user: string | null;
}

export function writeConfirm(writer: FrameWriter, sequence: number): void {
  beginFrame(writer, FrameType.confirm);
  writer.f64(sequence);
}

export function writeRequest(writer: FrameWriter, request: SessionRequestFrame): void {
  beginFrame(writer, FrameType.request);
  writer.f64(request.id);
  writer.text(request.clientId);
  writer.u8(request.cleanStart ? 1 : 0);
  writer.f64(request.epoch);
  if (request.user !== null) writer.text(request.user);
}

export function readRequest(reader: FrameReader): SessionRequestFrame {
  return {
    ...{ id: reader.f64(), clientId: reader.text(), cleanStart: reader.u8() === 1, epoch: reader.f64() },
    user: reader.isAtEnd ? null : reader.text(),
  };
}

export function writeResponse(writer: FrameWriter, id: number, body: string): void {
  beginFrame(writer, FrameType.response);
  writer.f64(id);
  writer.text(body);
}

export function readResponse(reader: FrameReader): { id: number; body: string } {
  return { id: reader.f64(), body: reader.text() };
}

export function writeQuery(writer: FrameWriter, id: number, body: string): void {
  beginFrame(writer, FrameType.query);
  writer.f64(id);
  writer.text(body);
}

export function writeAnswer(writer: FrameWriter, id: number, body: string): void {
  beginFrame(writer, FrameType.answer);
  writer.f64(id);
  writer.text(body);
}

export function writeStatistics(writer: FrameWriter, counters: readonly number[]): void {
  beginFrame(writer, FrameType.statistics);
  writer.u32(counters.length);
  for (const counter of counters) writer.f64(counter);
}

export function readStatistics(reader: FrameReader): number[] {
  const counters: number[] = [];
  for (let left = reader.count(8); left > 0; left--) counters.push(reader.f64());
  return counters;
}
