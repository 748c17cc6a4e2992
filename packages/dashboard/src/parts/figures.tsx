import type { ComponentChildren } from 'preact';

interface Pairs {
  readonly rows: readonly (readonly [string, ComponentChildren])[];
}

function list(look: string, { rows }: Pairs) {
  return (
    <dl class={look}>
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A row of figures with their names. */
export function Figures(pairs: Pairs) {
  return list('figures', pairs);
}

/** Names and values, one below the other. */
export function Facts(pairs: Pairs) {
  return list('facts', pairs);
}
