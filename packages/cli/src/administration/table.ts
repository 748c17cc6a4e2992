/** Tables for people: columns as wide as their longest text, cut where they would not fit the terminal. */

const gap = '  ';
/** Columns are not cut below this. */
const narrowest = 8;

/** Clients choose their names: a terminal is given no control characters. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}

/** `columns`: width of the terminal; undefined: it is none, and nothing is cut. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], columns?: number): string {
  const all = [head, ...rows.map((row) => row.map(printable))];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column].length)));
  if (columns !== undefined) narrow(widths, columns);
  return all
    .map(
      (row) =>
        `${row
          .map((text, column) => cut(text, widths[column]).padEnd(widths[column]))
          .join(gap)
          .trimEnd()}\n`,
    )
    .join('');
}

/** Takes from the widest column until all fit, or none can give more. */
function narrow(widths: number[], columns: number): void {
  const available = columns - gap.length * (widths.length - 1);
  let over = widths.reduce((sum, width) => sum + width, 0) - available;
  while (over > 0) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest] <= narrowest) return;
    widths[widest]--;
    over--;
  }
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

/** Names and values, one a line. */
export function list(fields: readonly (readonly [string, string])[]): string {
  const width = Math.max(...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}\n`).join('');
}

/** Time since then, in one unit or two: `3d 4h`, `12m`, `5s`. */
export function since(time: string, now: number): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(time)) / 1000));
  const units: [string, number][] = [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
    ['s', 1],
  ];
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first < 0) return '0s';
  const [name, size] = units[first];
  const rest = Math.floor((seconds % size) / (units[first + 1]?.[1] ?? 1));
  const more = first < 2 && rest > 0 ? ` ${rest}${units[first + 1][0]}` : '';
  return `${Math.floor(seconds / size)}${name}${more}`;
}
