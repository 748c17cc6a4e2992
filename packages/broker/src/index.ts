export { AnonymousAuthenticator } from './anonymous-authenticator.ts';
export { Broker } from './broker.ts';
export type { BrokerOptions } from './broker-options.ts';
export { ClientLog } from './connection/client-log.ts';
export { Connection } from './connection/connection.ts';
export * from './guards/index.ts';
export * from './memory/index.ts';
export { copyWords, overrunBytes, viewOf } from './message/copy-into.ts';
export * from './ports/index.ts';
