/**
 * Control messages between the leader of a shared group and the endpoints with its members (group-leader.ts,
 * group-members.ts). They travel on the links, so nothing is lost or overtaken as long as both ends live. Each begins
 * with its kind (u8), the whole name of the group, and the epoch of its leader.
 *
 * | kind | from, to | meaning |
 * | --- | --- | --- |
 * | lead | leader, endpoints with members | "I lead from this epoch on; tell me what you hold" |
 * | resigned | leader, endpoints with members | "I do not lead any more" |
 * | assign | leader, an endpoint | a message for one of its members |
 * | status | an endpoint, the leader | the outcome of messages, and how many more the endpoint accepts |
 * | locate | leader, endpoints with members | "which of these clients are connected to you?" |
 * | located | an endpoint, the leader | "this client is, and these messages are on their way to it" |
 */
import { parseShare } from '@dunlin/protocol';
import { FrameError, type FrameReader, FrameWriter } from '../message/wire.ts';

export interface GroupStatus {
  /** Set in the answer to `lead`: `holding` and `reserving` are all that the endpoint has. */
  isFirst: boolean;
  /** Messages of this epoch that the endpoint accepts, counted from the first that was assigned to it. */
  limit: number;
  /** Acknowledged, or no longer needed. */
  done: number[];
  /** QoS 2: reserved for a client, final. */
  final: number[];
  /** Sent to no client: they go to another endpoint. */
  returned: number[];
  /** Sent to a client that left without an answer: they go to another, and that is counted. */
  failed: number[];
  /** Reserved for a client, and not sent to it: the reservation is deleted, then they go to another. */
  unsent: number[];
  /** Numbers in doubt: only the store knows for which client they are reserved, or whether they are. */
  doubtful: number[];
  /** QoS 1, in flight to members. */
  holding: number[];
  /** QoS 2, on their way to members. */
  reserving: number[];
}

export type GroupControl = { group: string; epoch: number } & (
  | { kind: 'lead' | 'resigned' }
  | { kind: 'assign'; sequence: number; record: Uint8Array }
  | ({ kind: 'status' } & GroupStatus)
  | { kind: 'locate'; clients: string[] }
  | { kind: 'located'; clientId: string; busy: number[] }
);

const kinds: readonly GroupControl['kind'][] = ['lead', 'resigned', 'assign', 'status', 'locate', 'located'];
const statusLists = ['done', 'final', 'returned', 'failed', 'unsent', 'doubtful', 'holding', 'reserving'] as const;

/** A status that reports nothing yet. */
export function emptyStatus(): GroupStatus {
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

export function isEmptyStatus(status: GroupStatus): boolean {
  return !status.isFirst && statusLists.every((list) => status[list].length === 0);
}

export function writeGroupControl(control: GroupControl): Uint8Array {
  const writer = new FrameWriter();
  writer.u8(kinds.indexOf(control.kind));
  writer.text(control.group);
  writer.f64(control.epoch);
  switch (control.kind) {
    case 'assign':
      writer.f64(control.sequence);
      writer.block(control.record);
      break;
    case 'status':
      writer.u8(control.isFirst ? 1 : 0);
      writer.f64(control.limit);
      for (const list of statusLists) writeNumbers(writer, control[list]);
      break;
    case 'locate':
      writer.u32(control.clients.length);
      for (const clientId of control.clients) writer.text(clientId);
      break;
    case 'located':
      writer.text(control.clientId);
      writeNumbers(writer, control.busy);
      break;
  }
  return writer.take();
}

/** Throws FrameError. */
export function readGroupControl(reader: FrameReader): GroupControl {
  const kind = kinds[reader.u8()];
  const group = reader.text();
  if (kind === undefined) throw new FrameError('a control message of an unknown kind');
  if (parseShare(group) === null) throw new FrameError(`"${group}" is not a shared group`);
  const head = { group, epoch: reader.f64() };
  switch (kind) {
    case 'lead':
    case 'resigned':
      return { ...head, kind };
    case 'assign':
      return { ...head, kind, sequence: reader.f64(), record: reader.block() };
    case 'status':
      return { ...head, kind, ...readStatus(reader) };
    case 'locate': {
      const clients: string[] = [];
      for (let left = reader.count(4); left > 0; left--) clients.push(reader.text());
      return { ...head, kind, clients };
    }
    case 'located':
      return { ...head, kind, clientId: reader.text(), busy: readNumbers(reader) };
  }
}

function readStatus(reader: FrameReader): GroupStatus {
  const status = emptyStatus();
  status.isFirst = reader.u8() === 1;
  status.limit = reader.f64();
  for (const list of statusLists) status[list] = readNumbers(reader);
  return status;
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
