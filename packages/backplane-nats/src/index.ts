export type { TlsFiles } from './carrier.ts';
export { NatsBackplane } from './nats-backplane.ts';
export { NatsBackplaneError, type NatsBackplaneOptions, type NatsCounters } from './options.ts';
export { NatsConfigurationError, parseServers, redactServers, type ServerList, serverListForm } from './server-list.ts';
export { defaultTimings, type Timings } from './timings.ts';
