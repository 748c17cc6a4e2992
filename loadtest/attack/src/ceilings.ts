/** Costs that an attack may have. A row that costs more has failed. */
import type { RowResult } from './row.ts';

/** MiB of anonymous memory: a node with two workers lives within half a gibibyte. */
export const peakMebibytesMax = 512;
/** Milliseconds that healthy clients' p99 may lie above that of the quiet node. */
export const p99AboveQuietMax = 50;
/** Share of QoS 0 messages of healthy clients that may be lost. */
export const lostQos0Max = 0.01;
/** Memory that may be left a minute later, as a multiple of what it was. */
export const leftMax = 1.2;
/** Seconds after the attack from which on `leftMax` is asked: before that, memory may still be on its way back. */
export const leftFromSeconds = 60;
/** Milliseconds in which a healthy client has to be in, with a password that no cache knows. */
export const newcomerMillisecondsMax = 2000;

/** Costs of a row that are too high, in words; empty: none. */
export function exceeded(row: RowResult, afterSeconds: number): string[] {
  const { memory, quiet, during, lost, newcomers } = row;
  const wrong: string[] = [];
  const check = (isWrong: boolean, text: string) => {
    if (isWrong) wrong.push(text);
  };
  check(row.ended !== null, `the broker ended (${row.ended})`);
  check(row.workersReplaced > 0, `${row.workersReplaced} workers died`);
  check(memory.peak > peakMebibytesMax, `memory ${memory.peak.toFixed(0)} MiB, at most ${peakMebibytesMax}`);
  if (afterSeconds >= leftFromSeconds) {
    const left = memory.before * leftMax;
    check(memory.after > left, `memory left ${memory.after.toFixed(0)} MiB, at most ${left.toFixed(0)}`);
  }
  const p99Max = quiet.p99 + p99AboveQuietMax;
  check(during.p99 > p99Max, `p99 ${during.p99.toFixed(0)} ms, at most ${p99Max.toFixed(0)}`);
  check(lost.qos1 > 0, `${lost.qos1} QoS 1 messages lost`);
  const qos0Max = Math.floor(lost.sentQos0 * lostQos0Max);
  check(lost.qos0 > qos0Max, `${lost.qos0} of ${lost.sentQos0} QoS 0 messages lost, at most ${qos0Max}`);
  check(lost.disconnected > 0, `${lost.disconnected} healthy clients disconnected`);
  check(newcomers.failed > 0, `${newcomers.failed} of ${newcomers.tried} healthy clients did not get in`);
  check(newcomers.refusedFilters > 0, `${newcomers.refusedFilters} plain subscriptions refused`);
  check(
    newcomers.slowest > newcomerMillisecondsMax,
    `a healthy client waited ${newcomers.slowest.toFixed(0)} ms to get in, at most ${newcomerMillisecondsMax}`,
  );
  check(row.unhealthy > 0, `/healthz did not say 200 in ${row.unhealthy} s`);
  return wrong;
}
