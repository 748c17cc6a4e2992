import { useEffect, useRef, useState } from 'preact/hooks';
import { ask, type Missing } from '../api.ts';
import { count } from '../words.ts';
import { Notices } from './notices.tsx';
import type { Column } from './plain-table.tsx';

/** Height of each row, which style.css sets: rows out of sight are not made. */
const rowPixels = 40;
const rowsBeyondSight = 8;
const pageEntries = 200;
/** Rows that one list keeps; further ones are found by a narrower search. */
const rowsMax = 20_000;

interface Pages<Row> {
  rows: readonly Row[];
  /** Null: the end was reached. */
  next: string | null;
  incomplete: readonly Missing[];
}

interface LongListOptions<Row> {
  label: string;
  path: string;
  /** Name of the list in answers. */
  list: string;
  query: Readonly<Record<string, string | undefined>>;
  columns: readonly Column<Row>[];
  empty: string;
}

/** Pages of a list, read by cursor as they come into sight. */
function usePages<Row>({ path, list, query }: LongListOptions<Row>) {
  const [pages, setPages] = useState<Pages<Row> | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const isAsking = useRef<AbortController | null>(null);
  const words = JSON.stringify(query);
  const more = async (before: Pages<Row> | null): Promise<void> => {
    const asking = new AbortController();
    isAsking.current = asking;
    try {
      const answer = await ask<Record<string, unknown>>(path, {
        query: { ...JSON.parse(words), limit: pageEntries, cursor: before?.next ?? undefined },
        signal: asking.signal,
      });
      const rows = [...(before?.rows ?? []), ...(answer[list] as Row[])];
      const next = (answer.next ?? null) as string | null;
      setPages({ rows, next: rows.length < rowsMax ? next : null, incomplete: (answer.incomplete ?? []) as Missing[] });
      setFault(null);
    } catch (error) {
      if (!asking.signal.aborted) setFault((error as Error).message);
    }
    if (isAsking.current === asking) isAsking.current = null;
  };
  useEffect(() => {
    setPages(null);
    void more(null);
    return () => isAsking.current?.abort();
  }, [path, words]);
  const toEnd = () => {
    if (isAsking.current === null && fault === null && pages !== null && pages.next !== null) void more(pages);
  };
  return { pages, fault, toEnd };
}

/** List of any length: read page by page, and only rows in sight are made. */
export function LongList<Row>(options: LongListOptions<Row>) {
  const { label, columns, empty } = options;
  const { pages, fault, toEnd } = usePages(options);
  const [top, setTop] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const rows = pages?.rows ?? [];
  const inSight = Math.ceil((box.current?.clientHeight ?? 600) / rowPixels);
  const first = Math.max(0, Math.floor(top / rowPixels) - rowsBeyondSight);
  const end = Math.min(rows.length, first + inSight + 2 * rowsBeyondSight);
  useEffect(() => {
    // A page may hold few entries and still have a next one.
    if (end >= rows.length) toEnd();
  });
  return (
    <>
      <Notices fault={fault} incomplete={pages?.incomplete} />
      <p role="status" class="small">
        {pages === null
          ? 'Loading …'
          : rows.length === 0
            ? empty
            : `${count(rows.length)}${pages.next === null ? '' : ', more below'}`}
      </p>
      {/* biome-ignore lint/a11y/useSemanticElements: rows of a table cannot be placed */}
      <div
        class={`long ${rows.length === 0 ? 'none' : ''}`}
        role="table"
        aria-label={label}
        aria-rowcount={pages?.next === null ? rows.length + 1 : -1}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
        tabIndex={0}
        ref={box}
        onScroll={() => setTop(box.current?.scrollTop ?? 0)}
      >
        <LongRow columns={columns} at={1} />
        <div class="before" style={{ height: `${first * rowPixels}px` }} />
        {rows.slice(first, end).map((row, at) => (
          <LongRow key={first + at} columns={columns} at={first + at + 2} row={row} />
        ))}
        <div style={{ height: `${(rows.length - end) * rowPixels}px` }} />
      </div>
    </>
  );
}

/** Row of a list; without `row`: that of the titles. */
function LongRow<Row>({ columns, at, row }: { columns: readonly Column<Row>[]; at: number; row?: Row }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: as above
    // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus
    <div role="row" class={row === undefined ? 'row head' : 'row'} aria-rowindex={at}>
      {columns.map(({ title, show, isWide, isLong }) => (
        <div
          key={title}
          role={row === undefined ? 'columnheader' : 'cell'}
          class={`${isWide ? 'wide' : ''} ${isLong ? 'long-text' : ''}`}
        >
          {row === undefined ? title : show(row)}
        </div>
      ))}
    </div>
  );
}
