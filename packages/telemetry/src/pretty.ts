/** Fields that have a place of their own in a line. */
const placed = new Set(['level', 'time', 'msg', 'node', 'worker']);

/** Colours of levels on a terminal; an escape sequence each. */
const colours: Readonly<Record<string, string>> = {
  DEBUG: '\x1b[90m',
  INFO: '\x1b[32m',
  WARN: '\x1b[33m',
  ERROR: '\x1b[31m',
};
const plain = '\x1b[0m';

/**
 * Formats a JSON line for a person: `12:30:05.123 INFO [a/1] ready listeners=tcp://127.0.0.1:1883`: node and worker.
 * Other text is left as it is.
 */
export function formatPretty(line: string, isColoured = false): string {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line);
  } catch {
    // Not from pino: show what it is.
    return line;
  }
  const clock = String(entry.time).slice(11, 23);
  const level = String(entry.level).toUpperCase().padEnd(5);
  const colour = isColoured ? (colours[level.trimEnd()] ?? '') : '';
  const shownLevel = colour === '' ? level : `${colour}${level}${plain}`;
  const speaker = [entry.node, entry.worker].filter((part) => part !== undefined).join('/');
  const fields = Object.entries(entry)
    .filter(([name]) => !placed.has(name))
    .map(([name, value]) => ` ${name}=${showField(value)}`);
  return `${clock} ${shownLevel} ${speaker === '' ? '' : `[${speaker}] `}${entry.msg}${fields.join('')}\n`;
}

function showField(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"]+$/.test(value) ? value : JSON.stringify(value);
  const stack = (value as { stack?: string } | null)?.stack;
  return stack === undefined ? JSON.stringify(value) : `\n${stack}`;
}
