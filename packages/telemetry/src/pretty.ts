/** Fields that have a place of their own in a line. */
const placed = new Set(['level', 'time', 'msg', 'node', 'worker', 'event']);

const grey = '\x1b[90m';

/** Colours of levels on a terminal; an escape sequence each. */
const colours: Readonly<Record<string, string>> = {
  DEBUG: grey,
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
  const fields = Object.entries(entry).filter(([name]) => !placed.has(name));
  const stacks = fields.filter(([, value]) => hasStack(value));
  const shown = fields.filter(([, value]) => !hasStack(value)).map(showField);
  if (entry.event !== undefined)
    shown.push(isColoured ? `${grey}event=${entry.event}${plain}` : `event=${entry.event}`);
  shown.push(...stacks.map(showField));
  const words = [speaker === '' ? '' : `[${speaker}]`, entry.msg, ...shown].filter((word) => word !== '');
  return `${clock} ${shownLevel} ${words.join(' ')}\n`;
}

function hasStack(value: unknown): value is { stack: string } {
  return (value as { stack?: string } | null)?.stack !== undefined;
}

function showField([name, value]: [string, unknown]): string {
  if (hasStack(value)) return `${name}=\n${value.stack}`;
  const isWord = typeof value === 'string' && /^[^\s"]+$/.test(value);
  return `${name}=${isWord ? value : JSON.stringify(value)}`;
}
