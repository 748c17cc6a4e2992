import type { Setting } from './layer.ts';
import type { Problem } from './problem.ts';

/** Key given on the command line: `--workers 4` is `{ flag: '--workers', path: 'workers', value: '4' }`. */
export interface Flag {
  flag: string;
  path: string;
  /** A list for flags that may be given several times. */
  value: string | readonly string[];
}

/** `limits.receiveMaximum=10` as a flag; null when there is no `=`. */
export function parseAssignment(text: string): Flag | null {
  const equals = text.indexOf('=');
  return equals < 1 ? null : { flag: '--set', path: text.slice(0, equals).trim(), value: text.slice(equals + 1) };
}

export function readFlagLayer(flags: readonly Flag[]): { settings: Setting[]; problems: Problem[] } {
  const settings = flags.map(({ flag, path, value }): Setting => {
    const where = flag === '--set' ? `flag --set ${path}` : `flag ${flag}`;
    return { path, spelling: path, isText: true, value, locate: () => where };
  });
  return { settings, problems: [] };
}
