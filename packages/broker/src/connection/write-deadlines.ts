/**
 * Deadline for sockets that take nothing: a client that has stopped to read is not kept with its bytes for as long as
 * its connection stands. One timer per worker looks at sockets that have not taken everything, and at no others.
 *
 * A client that reads slowly stays: the system says how much of a write it has taken. It takes more when a third of
 * what it holds for the socket is free, which is some hundred KiB over loopback and some ten over a slow line.
 */
import { ReasonCode } from '@dunlin/protocol';
import type { OutputFlusher } from '../output/output-buffer.ts';
import type { Clock } from '../ports/clock.ts';
import type { Limits } from '../ports/limits.ts';
import { events } from '../ports/log-events.ts';
import type { ClientLog } from './client-log.ts';
import { Connection } from './connection.ts';

const lookMilliseconds = 1000;

export interface WriteDeadlinesParts {
  flusher: OutputFlusher;
  clock: Clock;
  limits: Limits;
  clientLog: ClientLog;
}

/** Ends connections whose sockets have taken nothing for `limits.writeTimeoutSeconds`. */
export function keepWriteDeadlines({ flusher, clock, limits, clientLog }: WriteDeadlinesParts): void {
  const { writeTimeoutSeconds } = limits;
  if (writeTimeoutSeconds === 0) return;
  // Looks are counted, not the time between them: a process that stood still has not looked.
  clock.every(lookMilliseconds, () => {
    for (const output of flusher.congested) {
      if (output.look() < writeTimeoutSeconds || !(output.owner instanceof Connection)) continue;
      const reason = `the socket has taken nothing for ${writeTimeoutSeconds} s (limits.writeTimeoutSeconds)`;
      const { pendingBytes } = output;
      clientLog.refusedTo(output.owner, events['slow-reader.disconnected'], { reason, pendingBytes });
      output.owner.disconnect(ReasonCode.quotaExceeded, reason, '', 'write-timeout');
    }
  });
}
