import { ask, inPath } from '../api.ts';
import { Deed } from '../parts/deed.tsx';
import { Facts } from '../parts/figures.tsx';
import { Notices } from '../parts/notices.tsx';
import { PlainTable } from '../parts/plain-table.tsx';
import { usePolled } from '../polling.ts';
import { linkTo } from '../route.ts';
import { bytes, count, moment, since } from '../words.ts';
import type { ClientRow } from './clients.tsx';

interface Subscription {
  filter: string;
  qos: number;
  noLocal: boolean;
  retainAsPublished: boolean;
  identifiers: readonly number[];
  logged: number | null;
}

interface Client extends ClientRow {
  lastDisconnect: Record<string, unknown> | null;
  isBridge: boolean;
  inFlightInbound: number;
  receiveMaximum: number | null;
  hasWill: boolean;
  subscriptionList: readonly Subscription[];
}

export function ClientView({ clientId }: { clientId: string }) {
  const { answer, fault, reload } = usePolled<Client>(`/clients/${inPath(clientId)}`, 2000);
  return (
    <>
      <p>
        <a href={linkTo('clients')}>All clients</a>
      </p>
      <h1 class="name">{clientId}</h1>
      <Notices fault={fault} />
      <Deeds clientId={clientId} reload={reload} />
      {answer === null || fault !== null ? null : <ClientFacts client={answer} />}
    </>
  );
}

function Deeds({ clientId, reload }: { clientId: string; reload: () => void }) {
  const path = `/clients/${inPath(clientId)}`;
  const done = (words: string): string => {
    reload();
    return words;
  };
  const kick = async (form: FormData): Promise<string> => {
    const reason = `${form.get('reason') ?? ''}`;
    await ask(`${path}/kick`, { method: 'POST', body: reason === '' ? {} : { reason } });
    return done('It was sent away.');
  };
  const ban = async (form: FormData): Promise<string> => {
    const minutes = Number(form.get('minutes'));
    const endsAt = minutes > 0 ? new Date(Date.now() + minutes * 60_000).toISOString() : null;
    await ask('/bans', { method: 'POST', body: { clientId, reason: `${form.get('reason') ?? ''}`, endsAt } });
    return done('It is banned.');
  };
  const end = async (): Promise<string> => {
    await ask(`/sessions/${inPath(clientId)}`, { method: 'DELETE' });
    return done('The session has ended.');
  };
  return (
    <div class="buttons">
      <Deed title="Kick" question={`Ends the connection of ${clientId}. It may connect again.`} act={kick}>
        <label>
          Reason, told to clients with MQTT 5
          <input name="reason" />
        </label>
      </Deed>
      <Deed title="Ban" question={`Ends the connection of ${clientId} and keeps it out.`} act={ban}>
        <label>
          Reason
          <input name="reason" />
        </label>
        <label>
          Minutes; 0: until the ban is lifted
          <input name="minutes" type="number" min="0" defaultValue="60" required />
        </label>
      </Deed>
      <Deed
        title="End session"
        question={`Ends the session of ${clientId}: its subscriptions and the messages that wait for it are lost.`}
        act={end}
      />
    </div>
  );
}

function ClientFacts({ client }: { client: Client }) {
  const expiry = client.sessionExpirySeconds;
  const last = client.lastDisconnect;
  return (
    <>
      <Facts
        rows={[
          ['Connected', `for ${since(client.connectedAt)}, since ${moment(client.connectedAt)}`],
          ['Node', `${client.node}, worker ${client.worker}, listener ${client.listener}`],
          ['Address', client.address],
          ['User', client.userName ?? 'anonymous'],
          ['MQTT', `${client.version}${client.isBridge ? ', a bridge' : ''}${client.hasWill ? ', with a will' : ''}`],
          ['Keep alive', `${client.keepAliveSeconds} s`],
          ['Session', expiry === 0 ? 'ends with the connection' : `kept for ${count(expiry)} s after it`],
          ['In flight', `${count(client.inFlight)} to it, ${count(client.inFlightInbound)} from it`],
          ['Waiting', `${count(client.waiting)} messages, ${bytes(client.outputBytes)} not taken by its socket`],
          ['Last disconnect', last === null ? 'none is remembered' : Object.values(last).join(', ')],
        ]}
      />
      <h2>Subscriptions</h2>
      <PlainTable
        label="Subscriptions"
        rows={client.subscriptionList}
        empty="It has none: it gets no messages."
        columns={[
          { title: 'Filter', show: ({ filter }) => <code>{filter}</code> },
          { title: 'QoS', show: ({ qos }) => qos },
          { title: 'In its log', show: ({ logged }) => (logged === null ? 'no log' : count(logged)) },
          { title: 'No local', show: ({ noLocal }) => (noLocal ? 'yes' : 'no'), isWide: true },
          { title: 'Retain as published', show: (one) => (one.retainAsPublished ? 'yes' : 'no'), isWide: true },
          { title: 'Identifiers', show: ({ identifiers }) => identifiers.join(', '), isWide: true },
        ]}
      />
    </>
  );
}
