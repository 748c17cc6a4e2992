export type { NatsCredentials, ReadCredentials } from './dialer.ts';
export { NatsBackplane } from './nats-backplane.ts';
export { NatsBackplaneError, type NatsBackplaneOptions, type NatsCounters } from './options.ts';
export { NatsConfigurationError, parseServers, redactServers, type ServerList, serverListForm } from './server-list.ts';
export { defaultTimings, type Timings } from './timings.ts';
