/**
 * Tracing of publishes: the context that a publisher sends as the MQTT 5 user property `traceparent` (W3C Trace
 * Context, section 3.2), a new root where there is none, and the context written into deliveries if that is configured.
 */

import type { Publication } from '../message/publication.ts';
import type { Outlet } from '../output/outlet.ts';
import {
  type PublishSpan,
  type TraceContext,
  type TracedMessage,
  type Tracer,
  traceContextBytes,
} from '../ports/tracer.ts';
import type { Session } from '../session/session.ts';

/** Beginning of a user property: its identifier, the length of its name, its name. The length of its value follows. */
const property = Buffer.concat([Buffer.from([0x26, 0, 11]), Buffer.from('traceparent')]);
const pattern = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/;
const textLength = 55;
const contextBytesMin = property.length + 2 + textLength;
const sampledFlag = 1;
const noTrace = '0'.repeat(32);
const noSpan = '0'.repeat(16);

/** The context that a message carries; null: none, or an invalid one, which counts as none. */
export function contextOf(publication: Publication): TraceContext | null {
  const { bytes, propertiesStart, propertiesEnd } = publication;
  if (propertiesEnd - propertiesStart < contextBytesMin) return null;
  const properties = bytes.subarray(propertiesStart, propertiesEnd);
  const at = properties.indexOf(property);
  if (at < 0) return null;
  const textAt = at + property.length + 2;
  const match = pattern.exec(properties.toString('latin1', textAt, textAt + textLength));
  if (match === null || match[0].startsWith('ff') || match[1] === noTrace || match[2] === noSpan) return null;
  return Buffer.from(match[1] + match[2] + match[3], 'hex');
}

/** True if this publish may be traced. Nearly all are not, and that is found without a call. */
export function mayBeTraced(tracer: Tracer, publication: Publication): boolean {
  return --tracer.untilRoot <= 0 || publication.propertiesEnd - publication.propertiesStart >= contextBytesMin;
}

/** Begins the span of a publish that is to be traced: its parent decides, without one the tracer does. */
export function beginPublish(session: Session, tracer: Tracer, publication: Publication, now: number): void {
  const beginsTrace = tracer.untilRoot <= 0 && tracer.beginsTrace(now);
  const parent = session.outlet.version5 ? contextOf(publication) : null;
  if (parent === null ? !beginsTrace : (parent[traceContextBytes - 1] & sampledFlag) === 0) return;
  publication.span = tracer.startPublish(parent, described(publication, session.clientId), now);
  publication.trace = publication.span?.context ?? null;
}

/** Ends the span of a publish that waits for nothing. */
export function endPublish(publication: Publication, reasonCode: number): void {
  const { span } = publication;
  if (span === null) return;
  publication.span = null;
  span.end(reasonCode);
}

/** A publish with a span that goes in a batch (publish-batch.ts). */
export interface TracedInBatch {
  readonly trace: TraceContext;
  readonly span: PublishSpan;
  readonly message: TracedMessage;
}

/** Moves the span from a publish to a batch that it joins. */
export function takeTraced(publication: Publication): TracedInBatch | null {
  const { trace, span } = publication;
  publication.span = null;
  return trace === null || span === null ? null : { trace, span, message: described(publication, '') };
}

/** Adds the spans of the packets that were just delivered to one subscriber as part of a batch. */
export function traceDeliveries(tracer: Tracer, traced: readonly TracedInBatch[], clientId: string): void {
  for (const { trace, message } of traced) tracer.startDelivery(trace, { ...message, clientId })?.end(0);
}

/**
 * Wraps one delivery in a span. `send` gets properties to add to the packet: the context, where that is configured and
 * the message carries none of its own, which is passed on unaltered [MQTT-3.3.2-17].
 */
export function tracedDelivery(
  delivery: { readonly tracer: Tracer | null },
  outlet: Outlet,
  publication: Publication,
  send: (more: Buffer) => boolean,
): boolean {
  const { tracer } = delivery;
  const { trace } = publication;
  if (tracer === null || trace === null) return send(nothing);
  const span = tracer.startDelivery(trace, described(publication, outlet.clientId));
  if (span === null) return send(nothing);
  const isWritten = tracer.writesContext && outlet.version5 && contextOf(publication) === null;
  const isSent = send(isWritten ? propertyOf(span.context) : nothing);
  span.end(isSent ? 0 : tooLarge);
  return isSent;
}

const nothing = Buffer.alloc(0);
/** `ReasonCode.packetTooLarge`. */
const tooLarge = 0x95;

function propertyOf(context: TraceContext): Buffer {
  const hex = context.toString('hex');
  const text = `00-${hex.slice(0, 32)}-${hex.slice(32, 48)}-${hex.slice(48)}`;
  return Buffer.concat([property, Buffer.from([0, textLength]), Buffer.from(text)]);
}

function described(publication: Publication, clientId: string): TracedMessage {
  const { qos, payloadStart, payloadEnd } = publication;
  return { topic: publication.topic(), qos, payloadBytes: payloadEnd - payloadStart, clientId };
}
