import type { Missing } from '../api.ts';

/** Words of a refusal, and the nodes whose part is missing. */
export function Notices({ fault, incomplete }: { fault?: string | null; incomplete?: readonly Missing[] }) {
  return (
    <div role="status">
      {fault ? <p class="fault">{fault}</p> : null}
      {incomplete?.map(({ node, reason }) => (
        <p class="warn" key={node}>
          Node {node} is missing here: {reason}.
        </p>
      ))}
    </div>
  );
}
