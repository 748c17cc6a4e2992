import type { ComponentChildren } from 'preact';

export interface Column<Row> {
  title: string;
  show: (row: Row) => ComponentChildren;
  /** Hidden on narrow screens. */
  isWide?: boolean;
  /** Gets more room in lists. */
  isLong?: boolean;
}

/** Table of a few rows. */
export function PlainTable<Row>({
  label,
  columns,
  rows,
  empty,
}: {
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  empty: string;
}) {
  if (rows.length === 0) return <p class="empty">{empty}</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section class="scroll" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {columns.map(({ title, isWide }) => (
              <th key={title} scope="col" class={isWide ? 'wide' : undefined}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, at) => (
            <tr key={at}>
              {columns.map(({ title, show, isWide }) => (
                <td key={title} class={isWide ? 'wide' : undefined}>
                  {show(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
