import { useEffect, useState } from 'preact/hooks';
import type { Missing } from '../api.ts';
import { Figures } from '../parts/figures.tsx';
import { Notices } from '../parts/notices.tsx';
import { PlainTable } from '../parts/plain-table.tsx';
import { RateChart } from '../parts/rate-chart.tsx';
import { usePolled } from '../polling.ts';
import { count, noun, rate } from '../words.ts';
import { ClusterMap } from './cluster-map.tsx';

interface Overview {
  nodes: number;
  ready: number;
  sessionsStored: number;
  messagesRetained: number;
  connections: number;
  subscriptions: number;
  messagesReceived: number;
  messagesSent: number;
  dropped: Record<string, number>;
  rates: { messagesReceived: number; messagesSent: number; dropped: number };
  wrong: readonly Missing[];
  incomplete: readonly Missing[];
}

const everyMilliseconds = 2000;
/** Ten minutes of lines. */
const pointsMax = 300;

const series = [
  { name: 'received', colour: '--first' },
  { name: 'sent', colour: '--second' },
  { name: 'dropped', colour: '--third' },
];

/** Rates since the page was opened, the last ones. */
function useHistory(overview: Overview | null): number[][] {
  const [history, setHistory] = useState<number[][]>([[], [], [], []]);
  useEffect(() => {
    if (overview === null) return;
    const { messagesReceived, messagesSent, dropped } = overview.rates;
    const point = [Date.now() / 1000, messagesReceived, messagesSent, dropped];
    setHistory((before) => before.map((line, at) => [...line.slice(1 - pointsMax), point[at]]));
  }, [overview]);
  return history;
}

export function OverviewView() {
  const { answer, fault } = usePolled<Overview>('/overview', everyMilliseconds);
  const history = useHistory(answer);
  if (answer === null)
    return (
      <>
        <h1>Overview</h1>
        <Notices fault={fault} />
      </>
    );
  const drops = Object.entries(answer.dropped).filter(([, number]) => number > 0);
  return (
    <>
      <h1>Overview</h1>
      <Notices fault={fault} incomplete={answer.incomplete} />
      <Wrong overview={answer} />
      <Figures
        rows={[
          ['Nodes ready', `${answer.ready} of ${answer.nodes}`],
          ['Connected clients', count(answer.connections)],
          ['Sessions stored', count(answer.sessionsStored)],
          ['Subscriptions', count(answer.subscriptions)],
          ['Retained messages', count(answer.messagesRetained)],
          ['Received', rate(answer.rates.messagesReceived)],
          ['Sent', rate(answer.rates.messagesSent)],
          ['Dropped', rate(answer.rates.dropped)],
        ]}
      />
      <RateChart label="Messages a second:" series={series} data={history} />
      <h2>Cluster</h2>
      <ClusterMap />
      <h2>Dropped since the start</h2>
      <PlainTable
        label="Dropped messages by reason"
        columns={[
          { title: 'Reason', show: ([reason]) => reason.replaceAll('_', ' ').replaceAll('-', ' ') },
          { title: 'Messages', show: ([, number]) => count(number) },
        ]}
        rows={drops}
        empty="No message was dropped."
      />
    </>
  );
}

function Wrong({ overview: { wrong, nodes, connections } }: { overview: Overview }) {
  return (
    <section class={wrong.length === 0 ? 'state well' : 'state ill'} aria-label="What is wrong now" role="status">
      {wrong.length === 0 ? (
        <p>
          <strong>All is well.</strong> {noun(nodes, 'node')}, {noun(connections, 'client')} connected.
        </p>
      ) : (
        <>
          <p>
            <strong>{noun(wrong.length, 'thing is', 'things are')} wrong now.</strong>
          </p>
          <ul>
            {wrong.map(({ node, reason }) => (
              <li key={`${node} ${reason}`}>
                {node}: {reason}
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}
