import type { ComponentType } from 'preact';
import { ClientsView } from './views/clients.tsx';
import { NodesView } from './views/nodes.tsx';
import { OverviewView } from './views/overview.tsx';

export interface View {
  /** First part of its address. */
  path: string;
  title: string;
  /** Endpoint without which it does not exist. */
  needs: string;
  show: ComponentType<{ name: string | null }>;
}

export const views: readonly View[] = [
  { path: 'overview', title: 'Overview', needs: '/overview', show: OverviewView },
  { path: 'clients', title: 'Clients', needs: '/clients', show: ClientsView },
  { path: 'nodes', title: 'Nodes', needs: '/nodes', show: NodesView },
];
