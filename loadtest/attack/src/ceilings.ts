/** Costs that an attack may have. A row that costs more has failed. */
import type { BrokerName } from './broker-name.ts';
import type { PhaseFigures, RowResult } from './row-result.ts';

/** MiB of anonymous memory: a node with two workers lives within half a gibibyte. */
export const peakMebibytesMax = 512;
/** Milliseconds that healthy clients' p99 may lie above that of the quiet node. */
export const p99AboveQuietMax = 50;
/** Share of QoS 0 messages of healthy clients that may be lost. */
export const lostQos0Max = 0.01;
/** Memory that may be left a minute later, as a multiple of what it was. */
export const leftMax = 1.2;
/**
 * Seconds after the attack from which on `leftMax` is asked: before that, memory may still be on its way back. Mosquitto
 * frees at once what it frees.
 */
export const leftFromSeconds: Readonly<Record<BrokerName, number>> = { dunlin: 60, mosquitto: 20 };
/** Milliseconds in which a healthy client has to be in, with a password that no cache knows. */
export const newcomerMillisecondsMax = 2000;

/** Figure above its ceiling. */
export interface Excess {
  readonly text: string;
  /** True: it depends on how much of the processor the broker got, so it may be the machine's fault. */
  readonly isTime: boolean;
}

/** The p99 that a row may have beside this quiet time. `headroom`: multiple of what is allowed above it. */
export function p99Max(quiet: PhaseFigures, headroom = 1): number {
  return quiet.p99 + p99AboveQuietMax * headroom;
}

/** True when the node is as it was: its memory, and the time that messages take. */
export function isBack(
  memory: { readonly before: number; readonly after: number },
  quiet: PhaseFigures,
  after: PhaseFigures,
): boolean {
  return memory.after <= memory.before * leftMax && after.p99 <= p99Max(quiet);
}

/**
 * Figures of a row that are too high; empty: none. `headroom`: multiple of the times that are allowed, for a machine
 * that has other work to do. Memory and losses have none.
 */
export function excesses(row: RowResult, headroom = 1): Excess[] {
  const { memory, quiet, during, after, lost, newcomers } = row;
  const wrong: Excess[] = [];
  const check = (isWrong: boolean, text: string, isTime = false) => {
    if (isWrong) wrong.push({ text, isTime });
  };
  check(row.ended !== null, `the broker ended (${row.ended})`);
  check(row.workersReplaced > 0, `${row.workersReplaced} workers died`);
  check(memory.peak > peakMebibytesMax, `memory ${memory.peak.toFixed(0)} MiB, at most ${peakMebibytesMax}`);
  if (row.backSeconds === null && row.afterSeconds >= leftFromSeconds[row.broker]) {
    const left = memory.before * leftMax;
    check(memory.after > left, `memory left ${memory.after.toFixed(0)} MiB, at most ${left.toFixed(0)}`);
    const p99 = p99Max(quiet);
    check(after.p99 > p99, `p99 still ${after.p99.toFixed(0)} ms, at most ${p99.toFixed(0)}`, true);
  }
  const most = p99Max(quiet, headroom);
  check(during.p99 > most, `p99 ${during.p99.toFixed(0)} ms, at most ${most.toFixed(0)}`, true);
  check(lost.qos1 > 0, `${lost.qos1} QoS 1 messages lost`);
  const qos0Max = Math.floor(lost.sentQos0 * lostQos0Max);
  check(lost.qos0 > qos0Max, `${lost.qos0} of ${lost.sentQos0} QoS 0 messages lost, at most ${qos0Max}`);
  check(lost.disconnected > 0, `${lost.disconnected} healthy clients disconnected`);
  check(newcomers.refused > 0, `${newcomers.refused} of ${newcomers.tried} healthy clients refused`);
  check(
    newcomers.late > 0,
    `${newcomers.late} of ${newcomers.tried} healthy clients gave up before they were in`,
    true,
  );
  check(newcomers.refusedFilters > 0, `${newcomers.refusedFilters} plain subscriptions refused`);
  const slowestMax = newcomerMillisecondsMax * headroom;
  check(
    newcomers.slowest > slowestMax,
    `a healthy client waited ${newcomers.slowest.toFixed(0)} ms to get in, at most ${slowestMax}`,
    true,
  );
  check(row.unhealthy > 0, `/healthz did not say 200 in ${row.unhealthy} s`, true);
  return wrong;
}
