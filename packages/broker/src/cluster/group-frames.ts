/**
 * What the leader of a shared group and the endpoints with its members say to each other (group-leader.ts, group-members.ts). It travels on the links, so
 * nothing is lost or overtaken as long as both ends live. Every word begins with its kind (u8), the group's whole name and the epoch of its leader.
 *
 * | kind | from, to | meaning |
 * | --- | --- | --- |
 * | lead | leader, endpoints with members | "I lead from this epoch on; tell me what you hold" |
 * | resigned | leader, endpoints with members | "I do not lead any more" |
 * | give | leader, an endpoint | a message for one of its members |
 * | report | an endpoint, the leader | what has become of messages, and how many more it takes |
 * | seek | leader, endpoints with members | "is one of these clients connected at your place?" |
 * | found | an endpoint, the leader | "it is, and these messages are on their way to it" |
 */
import { parseShare } from '@dunlin/protocol';
import { FrameError, type FrameReader, FrameWriter } from '../message/wire.ts';

export interface GroupReport {
  /** The answer to `lead`: `holding` and `reserving` are all that is in the endpoint's hands. */
  isFirst: boolean;
  /** Messages of this epoch that it takes, counted from the first that it was given. */
  limit: number;
  /** Acknowledged, or of no use any more. */
  done: number[];
  /** QoS 2: reserved for a client, final. */
  final: number[];
  /** Given to no client: they go to another. */
  returned: number[];
  /** Given to a client that left without a word: they go to another, and that is counted. */
  failed: number[];
  /** Noted in the store for a client, and not sent to it: the note goes, then they go to another. */
  unsent: number[];
  /** The store knows for whom, or whether at all. */
  doubtful: number[];
  /** QoS 1, in flight to members. */
  holding: number[];
  /** QoS 2, on their way to a member. */
  reserving: number[];
}

export type GroupFrame = { group: string; epoch: number } & (
  | { kind: 'lead' | 'resigned' }
  | { kind: 'give'; sequence: number; record: Uint8Array }
  | ({ kind: 'report' } & GroupReport)
  | { kind: 'seek'; clients: string[] }
  | { kind: 'found'; clientId: string; busy: number[] }
);

const kinds: readonly GroupFrame['kind'][] = ['lead', 'resigned', 'give', 'report', 'seek', 'found'];
const reportLists = ['done', 'final', 'returned', 'failed', 'unsent', 'doubtful', 'holding', 'reserving'] as const;

/** A report that says nothing yet. */
export function emptyReport(): GroupReport {
  return {
    isFirst: false,
    limit: 0,
    done: [],
    final: [],
    returned: [],
    failed: [],
    unsent: [],
    doubtful: [],
    holding: [],
    reserving: [],
  };
}

export function saysNothing(report: GroupReport): boolean {
  return !report.isFirst && reportLists.every((list) => report[list].length === 0);
}

export function writeGroupFrame(frame: GroupFrame): Uint8Array {
  const writer = new FrameWriter();
  writer.u8(kinds.indexOf(frame.kind));
  writer.text(frame.group);
  writer.f64(frame.epoch);
  switch (frame.kind) {
    case 'give':
      writer.f64(frame.sequence);
      writer.block(frame.record);
      break;
    case 'report':
      writer.u8(frame.isFirst ? 1 : 0);
      writer.f64(frame.limit);
      for (const list of reportLists) writeNumbers(writer, frame[list]);
      break;
    case 'seek':
      writer.u32(frame.clients.length);
      for (const clientId of frame.clients) writer.text(clientId);
      break;
    case 'found':
      writer.text(frame.clientId);
      writeNumbers(writer, frame.busy);
      break;
  }
  return writer.take();
}

/** Throws FrameError. */
export function readGroupFrame(reader: FrameReader): GroupFrame {
  const kind = kinds[reader.u8()];
  const group = reader.text();
  if (kind === undefined) throw new FrameError('a word about a group of an unknown kind');
  if (parseShare(group) === null) throw new FrameError(`"${group}" is no shared group`);
  const head = { group, epoch: reader.f64() };
  switch (kind) {
    case 'lead':
    case 'resigned':
      return { ...head, kind };
    case 'give':
      return { ...head, kind, sequence: reader.f64(), record: reader.block() };
    case 'report':
      return { ...head, kind, ...readReport(reader) };
    case 'seek': {
      const clients: string[] = [];
      for (let left = reader.count(4); left > 0; left--) clients.push(reader.text());
      return { ...head, kind, clients };
    }
    case 'found':
      return { ...head, kind, clientId: reader.text(), busy: readNumbers(reader) };
  }
}

function readReport(reader: FrameReader): GroupReport {
  const report = emptyReport();
  report.isFirst = reader.u8() === 1;
  report.limit = reader.f64();
  for (const list of reportLists) report[list] = readNumbers(reader);
  return report;
}

function writeNumbers(writer: FrameWriter, numbers: readonly number[]): void {
  writer.u32(numbers.length);
  for (const number of numbers) writer.f64(number);
}

function readNumbers(reader: FrameReader): number[] {
  const numbers: number[] = [];
  for (let left = reader.count(8); left > 0; left--) numbers.push(reader.f64());
  return numbers;
}
