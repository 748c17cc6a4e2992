export { checkFiles } from './check-files.ts';
export { openDeviceTokens } from './compose.ts';
export { EdgeNode, type NodeOptions, startNode } from './edge-node.ts';
export { NodeStatus, type Reason } from './node-status.ts';
export { type OpenBans, openBans } from './open-bans.ts';
export { type ServeOptions, serve, stopTimeoutMilliseconds } from './serve.ts';
export type { WorkerStatus } from './workers/worker-message.ts';
