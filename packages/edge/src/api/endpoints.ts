import type { Endpoint } from './endpoint.ts';
import { banEndpoints } from './endpoints/bans.ts';
import { clientEndpoints } from './endpoints/clients.ts';
import { configurationEndpoints } from './endpoints/configuration.ts';
import { explainEndpoints } from './endpoints/explain.ts';
import { keyEndpoints } from './endpoints/keys.ts';
import { listenerEndpoints } from './endpoints/listeners.ts';
import { messageEndpoints } from './endpoints/messages.ts';
import { nodeEndpoints } from './endpoints/nodes.ts';
import { rebalanceEndpoints } from './endpoints/rebalance.ts';

/** All endpoints of the administration API but `openapi.json`, which is made of them. */
export const endpoints: readonly Endpoint[] = [
  ...nodeEndpoints,
  ...rebalanceEndpoints,
  ...clientEndpoints,
  ...messageEndpoints,
  ...explainEndpoints,
  ...banEndpoints,
  ...keyEndpoints,
  ...listenerEndpoints,
  ...configurationEndpoints,
];
