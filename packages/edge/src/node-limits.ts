import { totalmem } from 'node:os';
import type { Configuration } from '@dunlin/config';

/** Connections that all workers of a node together accept at most: each has a limit of its own, and one for every listener that names one. */
export function connectionsMax({ workers, limits, listeners }: Configuration): number {
  const ofListeners = listeners.reduce(
    (sum, listener) => sum + (listener.connectionsMax ?? Number.POSITIVE_INFINITY),
    0,
  );
  return workers * Math.min(limits.connectionsMax, ofListeners);
}

/** Memory that the process may use: the limit of its container when that is less than the memory of the machine. */
export function memoryLimitBytes(): number {
  const machineBytes = totalmem();
  // 0, or more than there can be, where nothing limits it.
  const containerBytes = process.constrainedMemory();
  return containerBytes > 0 ? Math.min(containerBytes, machineBytes) : machineBytes;
}
