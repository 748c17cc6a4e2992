import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { threadMemory } from './thread-memory.ts';

const lookMilliseconds = 5000;
/**
 * Growth that is worth a collection, with a quarter more than was left after the last time: memory in use is not
 * searched again and again. With 32 MiB, two workers of a small node kept half as much again as it had before an attack.
 */
const worthBytes = 12 * 1024 * 1024;
const growth = 1.25;
/**
 * Waits after a collection that found nothing, each twice as long. After clients have gone one may be worth it without
 * growth: what was in use at the last is garbage now.
 */
const waitMilliseconds = { first: 10_000, longest: 3600_000 };
/** A thread that works more than this share of its time makes garbage, and V8 collects it. */
const busyShareMax = 0.1;
/** A collection stands still for about a millisecond for each MiB of heap that is in use, at worst. Of a larger heap V8 takes care by itself, in steps, unless nobody is there to wait. */
const heapBytesMax = 256 * 1024 * 1024;

function usedBytes(): { heap: number; all: number } {
  const { heap, buffers } = threadMemory();
  return { heap, all: heap + buffers };
}

/** Collector as `--expose-gc` gives it, without the flag on the command line: V8 offers no other way to ask. */
function exposedCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  return collect;
}

/** Collects the garbage of this thread at once. A large heap, which would stand still for long, only where it is urgent. */
export function collectNow(isUrgent: boolean): void {
  if (usedBytes().heap > heapBytesMax && !isUrgent) return;
  collector ??= exposedCollector();
  collector();
}

let collector: (() => void) | null = null;

/** Thread that is asked for a collection when it has become quiet. */
export interface IdleThread {
  /** True when nobody is connected. */
  isEmpty(): boolean;
  /** Connections that have ended so far. */
  connectionsEnded(): number;
  collected(freedBytes: number): void;
}

/**
 * Gives back what clients that have gone have left behind. V8 collects as memory is asked for, so a thread that has become quiet keeps its last garbage for ever: after 150 slow
 * clients that was 170 MiB of heap and 3.5 GiB of buffers.
 */
export function collectWhenIdle(thread: IdleThread): void {
  let utilization = performance.eventLoopUtilization();
  /** Bytes left after the last collection, and the least that there ever was. */
  let leftBytes = usedBytes().all;
  let leastBytes = leftBytes;
  let endedBefore = thread.connectionsEnded();
  let wait = waitMilliseconds.first;
  let waitsUntil = 0;
  /** Bytes before the last collection, until its buffers are freed, which another thread does. */
  let beforeBytes = 0;

  function lookAtLast(usedAll: number): void {
    const freedBytes = beforeBytes - usedAll;
    beforeBytes = 0;
    leftBytes = usedAll;
    thread.collected(freedBytes);
    if (freedBytes >= worthBytes) {
      wait = waitMilliseconds.first;
      return;
    }
    waitsUntil = performance.now() + wait;
    wait = Math.min(wait * 2, waitMilliseconds.longest);
  }

  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization();
    const share = performance.eventLoopUtilization(now, utilization).utilization;
    utilization = now;
    const used = usedBytes();
    if (beforeBytes > 0) lookAtLast(used.all);
    leftBytes = Math.min(leftBytes, used.all);
    leastBytes = Math.min(leastBytes, used.all);
    if (share > busyShareMax) return;
    const ended = thread.connectionsEnded();
    const hasGrown = used.all >= Math.max(leftBytes + worthBytes, leftBytes * growth);
    const haveGone = ended !== endedBefore && used.all >= leastBytes + worthBytes && performance.now() >= waitsUntil;
    if (!hasGrown && !haveGone) return;
    if (used.heap > heapBytesMax && !thread.isEmpty()) return;
    endedBefore = ended;
    beforeBytes = used.all;
    collector ??= exposedCollector();
    collector();
  }, lookMilliseconds);
  timer.unref();
}
