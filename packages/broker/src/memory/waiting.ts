/** Time after which an item that was handed out comes again (the store port's contract). */
const HANDED_OUT_MILLISECONDS = 30_000;

/** Something that the memory store hands out when it is due. */
export interface Waiting<T> {
  value: T;
  /** Time at which it is handed out next; Infinity: not yet scheduled. */
  nextAt: number;
}

/** Time from which `takeDue` gives something; Infinity: not until then. */
export function nextDue<T>(waiting: Map<string, Waiting<T>>, until: number): number {
  let next = Number.POSITIVE_INFINITY;
  for (const { nextAt } of waiting.values()) if (nextAt <= until && nextAt < next) next = nextAt;
  return next;
}

/** Earliest first, so that a limit leaves the later ones. */
export function takeDue<T>(waiting: Map<string, Waiting<T>>, now: number, limit: number): [string, T][] {
  const due = [...waiting].filter(([, { nextAt }]) => nextAt <= now).sort((a, b) => a[1].nextAt - b[1].nextAt);
  return due.slice(0, limit).map(([id, item]) => {
    item.nextAt = now + HANDED_OUT_MILLISECONDS;
    return [id, item.value];
  });
}
