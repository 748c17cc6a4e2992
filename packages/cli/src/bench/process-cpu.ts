/** CPU time of the broker's processes, where the system tells it (Linux: /proc). */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { BenchFailure } from './bench-failure.ts';

/** Positions in /proc/PID/stat, counted after the name in brackets, which may itself hold spaces. */
const userTicksField = 11;
const systemTicksField = 12;

let ticksPerSecond = 0;

function readTicksPerSecond(): number {
  if (ticksPerSecond === 0) ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return ticksPerSecond;
}

/**
 * Seconds of user and system time used so far, summed over `pids`.
 * Throws a BenchFailure when one of them is not there or the system has no /proc.
 */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    try {
      const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
      ticks += Number(fields[userTicksField]) + Number(fields[systemTicksField]);
    } catch (cause) {
      throw new BenchFailure('BENCH_OPTION', `no CPU time can be read for process ${pid}`, { cause });
    }
  }
  return pids.length === 0 ? 0 : ticks / readTicksPerSecond();
}
