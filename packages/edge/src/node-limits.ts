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

/** Networks whose connections have to be told apart: each connection may be of another one. 0: they are not counted. */
export function networksMax(configuration: Configuration): number {
  return configuration.limits.connectionsPerAddressMax === 0 ? 0 : connectionsMax(configuration);
}

/** Bytes for the subscriptions of all clients of the node: as configured, or half of the memory, shared by the workers that all know them. */
export function subscriptionBytesMax({ workers, limits }: Configuration): number {
  return limits.subscriptionBytesNodeMax || Math.floor(memoryLimitBytes({ limits }) / 2 / workers);
}

/** Memory that the process may use: as configured, else the limit of its container when that is less than the memory of the machine. */
export function memoryLimitBytes({ limits }: Pick<Configuration, 'limits'>): number {
  if (limits.memoryBytesMax > 0) return limits.memoryBytesMax;
  const machineBytes = totalmem();
  // 0, or more than there can be, where nothing limits it.
  const containerBytes = process.constrainedMemory();
  return containerBytes > 0 ? Math.min(containerBytes, machineBytes) : machineBytes;
}
