import type { Chronicle } from './chronicle.ts';
import type { Arrival, Ledger, Stream, WrongArrival } from './ledger.ts';
import type { Message } from './message.ts';

/** Time before the first and after the last time that matters. */
const aroundMilliseconds = 5000;
/** Wrong messages that are shown whole. The rest is counted. */
const shownMax = 20;
/** Doings of each client around the time. */
const doingsMax = 40;

/**
 * Words for a person who looks for the cause: each lost, doubled or displaced message with its times, its clients'
 * doings and the faults around.
 */
export function evidence(ledger: Ledger, chronicle: Chronicle): string[] {
  const lost = ledger.incomplete.flatMap((stream) =>
    [...stream.missing].sort((a, b) => a - b).map((sequence) => ({ stream, sequence })),
  );
  const wrong = ledger.wrong;
  const lines = lost.slice(0, shownMax).flatMap(({ stream, sequence }) => describeLost(stream, sequence, chronicle));
  lines.push(...wrong.slice(0, shownMax).flatMap((arrival) => describeWrong(arrival, chronicle)));
  const hidden = Math.max(0, lost.length - shownMax) + Math.max(0, wrong.length - shownMax);
  if (hidden > 0) lines.push(`and ${hidden} more`);
  return lines;
}

function describeLost(stream: Stream, sequence: number, chronicle: Chronicle): string[] {
  const message = stream.record.messages[sequence - 1];
  const to = message.acknowledgedAt ?? message.sentAt;
  return [
    `LOST ${title(message, stream)} never came to ${stream.audience.name} (QoS ${stream.audience.qos})`,
    `  ${describeMessage(message, chronicle)}`,
    ...describeNeighbours(stream, sequence, chronicle),
    ...surroundings(stream, message.sentAt, to, chronicle),
  ];
}

function describeWrong({ kind, stream, arrival, highest }: WrongArrival, chronicle: Chronicle): string[] {
  const message = stream.record.messages[arrival.sequence - 1];
  const what = kind === 'duplicate' ? 'came again to' : `came behind ${highest} to`;
  const same = stream.arrivals.filter(({ sequence }) => sequence === arrival.sequence);
  return [
    `${kind.toUpperCase()} ${title(message, stream)} ${what} ${stream.audience.name} (QoS ${stream.audience.qos})`,
    `  ${describeMessage(message, chronicle)}`,
    ...same.map((one) => `  ${describeArrival(one, chronicle)}`),
    ...describeNeighbours(stream, arrival.sequence, chronicle),
    ...surroundings(stream, message.sentAt, arrival.at, chronicle),
  ];
}

/** Messages that ephemeral subscribers missed on living connections, and what was around them. */
export function ephemeralGaps({ ephemeral }: Ledger, chronicle: Chronicle): string[] {
  return ephemeral.gaps.flatMap(({ stream, message }) => [
    `${stream.audience.name} missed ${title(message, stream)}, ${describeMessage(message, chronicle)}`,
    ...describeNeighbours(stream, message.sequence, chronicle),
    ...surroundings(stream, message.sentAt, message.acknowledgedAt ?? message.sentAt, chronicle),
  ]);
}

function title({ publisher, topic, sequence }: Message, { record }: Stream): string {
  return `${publisher} ${topic} number ${sequence} (QoS ${record.qos})`;
}

function describeMessage({ sentAt, address, resent, acknowledgedAt }: Message, chronicle: Chronicle): string {
  const end = acknowledgedAt === null ? 'never acknowledged' : `acknowledged ${chronicle.time(acknowledgedAt)}`;
  return `sent ${chronicle.time(sentAt)} at ${address}, sent again ${resent} times, ${end}`;
}

function describeArrival({ at, client, qos, dup, packetId, sequence }: Arrival, chronicle: Chronicle): string {
  return `${sequence} came ${chronicle.time(at)} to ${client}, QoS ${qos}, packet identifier ${packetId}${dup ? ', DUP' : ''}`;
}

/** The arrivals of the numbers next to it. */
function describeNeighbours({ arrivals }: Stream, sequence: number, chronicle: Chronicle): string[] {
  const before = arrivals.findLast((arrival) => arrival.sequence < sequence);
  const after = arrivals.find((arrival) => arrival.sequence > sequence);
  return [before, after]
    .filter((arrival) => arrival !== undefined)
    .map((arrival) => `  beside it: ${describeArrival(arrival, chronicle)}`);
}

function surroundings(
  { audience, record, arrivals }: Stream,
  from: number,
  to: number,
  chronicle: Chronicle,
): string[] {
  const clients = audience.isGroup ? [...new Set(arrivals.map(({ client }) => client))] : [audience.name];
  const [start, end] = [from - aroundMilliseconds, to + aroundMilliseconds];
  return [
    ...chronicle.entriesBetween(start, end, [record.publisher]).slice(0, doingsMax),
    ...chronicle.entriesBetween(start, end, clients).slice(0, doingsMax),
    ...chronicle.faultsBetween(start, end).map((fault) => `fault: ${fault}`),
  ].map((line) => `  ${line}`);
}
