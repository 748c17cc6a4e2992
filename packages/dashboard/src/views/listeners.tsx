import { Notices } from '../parts/notices.tsx';
import { PlainTable } from '../parts/plain-table.tsx';
import { usePolled } from '../polling.ts';
import { noun } from '../words.ts';

export interface Listener {
  name: string;
  url: string;
  certificateEndsAt: string | null;
  certificateDaysLeft: number | null;
}

export interface ListenersAnswer {
  node: string;
  listeners: readonly Listener[];
}

function daysLeft({ certificateDaysLeft: days }: Listener) {
  if (days === null) return 'no TLS';
  if (days < 0) return <span class="fault">has ended</span>;
  return <span class={days < 14 ? 'warn' : undefined}>{noun(days, 'day')} left</span>;
}

export function ListenersView() {
  const { answer, fault } = usePolled<ListenersAnswer>('/listeners');
  return (
    <>
      <h1>Listeners</h1>
      <Notices fault={fault} />
      <p class="small">{answer === null ? 'Loading …' : `Of the node ${answer.node}, which serves this page.`}</p>
      <PlainTable
        label="Listeners"
        rows={answer?.listeners ?? []}
        empty={answer === null ? 'Loading …' : 'It has no listener.'}
        columns={[
          { title: 'Name', show: ({ name }) => name },
          { title: 'Address', show: ({ url }) => <code>{url}</code> },
          { title: 'Certificate', show: daysLeft },
        ]}
      />
    </>
  );
}
