/** Fields that have a place of their own in a line, or are the same in every line of a terminal. */
const placed = new Set(['level', 'time', 'msg', 'node', 'worker']);

/** One JSON line as a person reads it: `12:30:05.123 INFO  ready listeners=tcp://127.0.0.1:1883 workers=2`. Other text is left as it is. */
export function formatPretty(line: string): string {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line);
  } catch {
    // Not from pino: show what it is.
    return line;
  }
  const clock = String(entry.time).slice(11, 23);
  const level = String(entry.level).toUpperCase().padEnd(5);
  const worker = entry.worker === undefined ? '' : ` [${entry.worker}]`;
  const fields = Object.entries(entry)
    .filter(([name]) => !placed.has(name))
    .map(([name, value]) => ` ${name}=${showField(value)}`);
  return `${clock} ${level}${worker} ${entry.msg}${fields.join('')}\n`;
}

function showField(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"]+$/.test(value) ? value : JSON.stringify(value);
  const stack = (value as { stack?: string } | null)?.stack;
  return stack === undefined ? JSON.stringify(value) : `\n${stack}`;
}
