import { useCallback, useEffect, useState } from 'preact/hooks';
import { ask } from './api.ts';

export interface Polled<Answer> {
  answer: Answer | null;
  /** Words of the last refusal; null: the last request was answered. */
  fault: string | null;
  reload: () => void;
}

/** Asks now and then again and again while the page is in sight. `everyMilliseconds` 0: once. */
export function usePolled<Answer>(path: string, everyMilliseconds = 0): Polled<Answer> {
  const [state, setState] = useState<{ path: string; answer: Answer | null; fault: string | null }>({
    path,
    answer: null,
    fault: null,
  });
  const [round, setRound] = useState(0);
  const reload = useCallback(() => setRound((before) => before + 1), []);
  useEffect(() => {
    const stop = new AbortController();
    let timer: number | undefined;
    const turn = async (): Promise<void> => {
      try {
        if (!document.hidden) {
          const answer = await ask<Answer>(path, { signal: stop.signal });
          setState({ path, answer, fault: null });
        }
      } catch (error) {
        if (stop.signal.aborted) return;
        setState((before) => ({
          path,
          answer: before.path === path ? before.answer : null,
          fault: (error as Error).message,
        }));
      }
      if (everyMilliseconds > 0 && !stop.signal.aborted) timer = window.setTimeout(turn, everyMilliseconds);
    };
    void turn();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [path, everyMilliseconds, round]);
  return { answer: state.path === path ? state.answer : null, fault: state.fault, reload };
}
