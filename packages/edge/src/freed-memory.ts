import { performance } from 'node:perf_hooks';
import type { Logger } from '@dunlin/broker';
import { events } from './log-events.ts';

const lookMilliseconds = 5000;
/** Bytes above the least there ever was that may have been freed. */
const worthBytes = 12 * 1024 * 1024;
/**
 * Wait after a try, for each millisecond that it took: nothing tells whether memory was freed, so it is tried. Trying
 * in vain is for no more than a thousandth of the time: where 1 GiB was in use it took 1 to 16 ms.
 */
const waitPerTry = 1000;
/**
 * Share of the time of all workers. While memory is given back, whoever asks for some may wait: some tenth of a
 * millisecond for each MiB.
 */
const busyShareMax = 0.5;

/** `malloc_trim` of glibc; null where there is another C library, or a Node without `node:ffi` (before 26.1, or started with `--no-experimental-ffi`, or `--permission`). */
function findTrim(): (() => void) | null {
  // It is experimental, and says so on standard error. What becomes of it can cost no more than memory that stays with the process.
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    const ffi = process.getBuiltinModule('node:ffi');
    const { functions } = ffi.dlopen('libc.so.6', { malloc_trim: { arguments: ['u64'], return: 'i32' } });
    return () => functions.malloc_trim(0n);
  } catch {
    return null;
  } finally {
    process.emitWarning = emitWarning;
  }
}

let trim: (() => void) | null | undefined;

/** Gives memory that was freed back to the system at once. */
export function giveBackNow(): void {
  trim ??= findTrim();
  trim?.();
}

/**
 * Gives memory that was freed back to the system, for the whole process. glibc keeps what lies between blocks that are in use, in each of its heaps, of which threads have their own:
 * 7,000 short hostile connections left 185 MiB, 50 slow clients 650.
 */
export function giveBackFreedMemory(workers: number, logger: Logger): void {
  trim ??= findTrim();
  if (trim === null) return;
  let leastBytes = process.memoryUsage.rss();
  let notBefore = 0;
  let lookedAt = performance.now();
  let cpu = process.cpuUsage();
  setInterval(() => {
    const now = performance.now();
    const { user, system } = process.cpuUsage(cpu);
    cpu = process.cpuUsage();
    const share = (user + system) / 1000 / (now - lookedAt) / workers;
    lookedAt = now;
    const residentBytes = process.memoryUsage.rss();
    leastBytes = Math.min(leastBytes, residentBytes);
    if (share > busyShareMax || residentBytes < leastBytes + worthBytes || now < notBefore) return;
    giveBackNow();
    const milliseconds = performance.now() - now;
    const leftBytes = process.memoryUsage.rss();
    const freedBytes = residentBytes - leftBytes;
    if (freedBytes < worthBytes) notBefore = now + milliseconds * waitPerTry;
    else logger.debug(events['memory.released'], { freedBytes, leftBytes, milliseconds: Math.round(milliseconds) });
  }, lookMilliseconds).unref();
}
