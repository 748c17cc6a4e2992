import type { Clock } from '../ports/clock.ts';
import { StoreError } from '../ports/store-error.ts';

const retryMilliseconds = 500;

/** Tries again until the store is there. `failed` is told each time that it is not; any other error is thrown. */
export async function untilAvailable(
  clock: Clock,
  run: () => Promise<void>,
  failed: (error: StoreError) => void,
): Promise<void> {
  for (;;) {
    try {
      await run();
      return;
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'unavailable') throw error;
      failed(error);
    }
    await new Promise<void>((resolve) => {
      const cancel = clock.every(retryMilliseconds, () => {
        cancel();
        resolve();
      });
    });
  }
}
