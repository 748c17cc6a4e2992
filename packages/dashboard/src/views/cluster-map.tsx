import { Notices } from '../parts/notices.tsx';
import { usePolled } from '../polling.ts';
import { linkTo } from '../route.ts';
import { count, rate } from '../words.ts';
import type { NodesAnswer } from './nodes.tsx';

/** Nodes as boxes; a bar says which part of the clients each has. */
export function ClusterMap() {
  const { answer, fault } = usePolled<NodesAnswer>('/nodes', 5000);
  const all = answer?.nodes.reduce((sum, { connections }) => sum + connections, 0) ?? 0;
  return (
    <>
      <Notices fault={fault} />
      <ul class="map">
        {answer?.nodes.map(({ node, ready, notReady, connections, rates, store, backplane }) => (
          <li key={node} class={ready ? 'well' : 'ill'}>
            <a href={linkTo('nodes')}>{node}</a>
            <span class="small">{ready ? 'ready' : `not ready: ${notReady.join(', ')}`}</span>
            <meter
              min={0}
              max={Math.max(1, all)}
              value={connections}
              aria-label={`Clients of ${node}: ${connections} of ${all}`}
            />
            <span>{count(connections)} clients</span>
            <span class="small">
              {rate(rates.messagesReceived)} in, {rate(rates.messagesSent)} out
            </span>
            {store ? null : <span class="fault">does not reach the store</span>}
            {backplane ? null : <span class="fault">does not reach other nodes</span>}
          </li>
        ))}
      </ul>
    </>
  );
}
