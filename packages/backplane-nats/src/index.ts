export type { NatsCredentials, ReadCredentials } from './dialer.ts';
export { NatsBackplane } from './nats-backplane.ts';
export { NatsBackplaneError, type NatsBackplaneOptions, type NatsCounters, type SigningOptions } from './options.ts';
export { type RefusalReason, refusalReasons } from './refusals.ts';
export { NatsConfigurationError, parseServers, redactServers, type ServerList, serverListForm } from './server-list.ts';
export { ClusterSecretError, parseSecrets } from './signing.ts';
export { defaultTimings, type Timings } from './timings.ts';
