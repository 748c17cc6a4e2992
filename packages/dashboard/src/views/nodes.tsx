import type { Missing } from '../api.ts';
import { Notices } from '../parts/notices.tsx';
import { PlainTable } from '../parts/plain-table.tsx';
import { usePolled } from '../polling.ts';
import { linkTo } from '../route.ts';
import { bytes, count, rate, since } from '../words.ts';
import { NodeDeeds } from './node-deeds.tsx';

export interface NodeAnswer {
  node: string;
  version: string;
  runtime: string;
  startedAt: string;
  ready: boolean;
  notReady: readonly string[];
  workers: number;
  connections: number;
  subscriptions: number;
  rates: { messagesReceived: number; messagesSent: number; dropped: number };
  store: boolean;
  backplane: boolean;
  memoryBytes: number;
}

export interface NodesAnswer {
  nodes: readonly NodeAnswer[];
  incomplete: readonly Missing[];
}

export function NodesView() {
  const { answer, fault, reload } = usePolled<NodesAnswer>('/nodes', 2000);
  return (
    <>
      <h1>Nodes</h1>
      <Notices fault={fault} incomplete={answer?.incomplete} />
      <PlainTable
        label="Nodes"
        rows={answer?.nodes ?? []}
        empty="No node has answered yet."
        columns={[
          { title: 'Node', show: ({ node }) => <a href={linkTo('clients')}>{node}</a> },
          { title: 'State', show: ({ ready, notReady }) => (ready ? 'ready' : `not ready: ${notReady.join(', ')}`) },
          { title: 'Clients', show: ({ connections }) => count(connections) },
          { title: 'Do', show: ({ node }) => <NodeDeeds node={node} then={reload} /> },
          { title: 'In', show: ({ rates }) => rate(rates.messagesReceived), isWide: true },
          { title: 'Out', show: ({ rates }) => rate(rates.messagesSent), isWide: true },
          { title: 'Subscriptions', show: ({ subscriptions }) => count(subscriptions), isWide: true },
          { title: 'Memory', show: ({ memoryBytes }) => bytes(memoryBytes), isWide: true },
          { title: 'Up', show: ({ startedAt }) => since(startedAt), isWide: true },
          { title: 'Workers', show: ({ workers }) => workers, isWide: true },
          { title: 'Release', show: ({ version, runtime }) => `${version}, ${runtime}`, isWide: true },
        ]}
      />
    </>
  );
}
