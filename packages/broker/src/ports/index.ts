/**
 * Everything outside the broker that it uses or answers with, as types and small values: an entry of its own
 * (`@dunlin/broker/ports`), so that a thread without clients (the supervisor, a store) loads no broker.
 */
export { CodedError, codeOf, type ErrorTable } from '@dunlin/protocol/coded-error';
export { fnvOfText } from '@dunlin/protocol/fnv';
export * from './admin-key-store.ts';
export * from './audit.ts';
export { auditEvents } from './audit-events.ts';
export * from './authenticator.ts';
export * from './authorizer.ts';
export * from './backplane.ts';
export * from './ban-store.ts';
export * from './client-record.ts';
export * from './clock.ts';
export { type CloseReason, closeReasons } from './close-reason.ts';
export { type ConnectRefusal, connectRefusals } from './connect-refusal.ts';
export * from './delayed-store.ts';
export { type DrainOptions, drainAnswerMilliseconds } from './drain-options.ts';
export * from './endpoint-id.ts';
export * from './explanation.ts';
export * from './fate-record.ts';
export * from './group-store.ts';
export * from './histogram.ts';
export * from './leases.ts';
export * from './limits.ts';
export { events as brokerEvents } from './log-events.ts';
export * from './log-sizes.ts';
export * from './log-store.ts';
export * from './logger.ts';
export * from './metrics.ts';
export * from './question-figures.ts';
export * from './quota.ts';
export * from './random.ts';
export * from './retained-store.ts';
export * from './session-key.ts';
export * from './session-store.ts';
export * from './store.ts';
export * from './store-error.ts';
export * from './store-methods.ts';
export * from './tracer.ts';
export * from './transport.ts';
export * from './will-store.ts';
