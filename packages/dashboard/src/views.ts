import type { ComponentType } from 'preact';
import { BansView } from './views/bans.tsx';
import { ClientsView } from './views/clients.tsx';
import { ExplainView } from './views/explain.tsx';
import { KeysView } from './views/keys.tsx';
import { ListenersView } from './views/listeners.tsx';
import { NodesView } from './views/nodes.tsx';
import { OverviewView } from './views/overview.tsx';
import { RetainedView } from './views/retained.tsx';
import { SettingsView } from './views/settings.tsx';
import { TopicsView } from './views/topics.tsx';

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
  { path: 'topics', title: 'Topics', needs: '/listeners', show: TopicsView },
  { path: 'retained', title: 'Retained', needs: '/retained', show: RetainedView },
  { path: 'explain', title: 'Explain', needs: '/explain', show: ExplainView },
  { path: 'nodes', title: 'Nodes', needs: '/nodes', show: NodesView },
  { path: 'bans', title: 'Bans', needs: '/bans', show: BansView },
  { path: 'listeners', title: 'Listeners', needs: '/listeners', show: ListenersView },
  { path: 'keys', title: 'Keys', needs: '/keys', show: KeysView },
  { path: 'settings', title: 'Settings', needs: '/config', show: SettingsView },
];
