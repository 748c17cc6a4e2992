import { useState } from 'preact/hooks';
import { LongList } from '../parts/long-list.tsx';
import { Search } from '../parts/search.tsx';
import { linkTo } from '../route.ts';
import { count, since } from '../words.ts';
import { ClientView } from './client.tsx';

export interface ClientRow {
  clientId: string;
  userName: string | null;
  address: string;
  node: string;
  worker: number;
  listener: string;
  version: string;
  connectedAt: string;
  keepAliveSeconds: number;
  sessionExpirySeconds: number;
  subscriptions: number;
  inFlight: number;
  waiting: number;
  outputBytes: number;
}

export function ClientsView({ name }: { name: string | null }) {
  return name === null ? <ClientSearch /> : <ClientView clientId={name} />;
}

function ClientSearch() {
  const [query, setQuery] = useState<Record<string, string>>({});
  return (
    <>
      <h1>Clients</h1>
      <Search
        inputs={[
          { name: 'filter', label: 'Client identifier', hint: 'gauge-*' },
          { name: 'user', label: 'User name' },
          { name: 'address', label: 'Address begins with' },
          { name: 'node', label: 'Node' },
        ]}
        then={setQuery}
      />
      <LongList<ClientRow>
        label="Connected clients"
        path="/clients"
        list="clients"
        query={query}
        empty="No connected client fits."
        columns={[
          { title: 'Client', show: ({ clientId }) => <a href={linkTo('clients', clientId)}>{clientId}</a> },
          { title: 'Node', show: ({ node }) => node },
          { title: 'Since', show: ({ connectedAt }) => since(connectedAt) },
          { title: 'User', show: ({ userName }) => userName ?? 'anonymous', isWide: true },
          { title: 'Address', show: ({ address }) => address, isWide: true, isLong: true },
          { title: 'MQTT', show: ({ version }) => version, isWide: true },
          { title: 'Filters', show: ({ subscriptions }) => count(subscriptions), isWide: true },
          { title: 'Waiting', show: ({ waiting, inFlight }) => count(waiting + inFlight), isWide: true },
        ]}
      />
    </>
  );
}
