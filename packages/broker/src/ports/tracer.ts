/**
 * Context that goes with a traced message, wherever it goes: 16 bytes that name the trace, 8 that name the span which
 * is the parent of what happens next, and the flags of W3C Trace Context (version 00).
 */
export type TraceContext = Buffer;
export const traceContextBytes = 25;

/** Fields of the message that a span has. */
export interface TracedMessage {
  topic: string;
  qos: number;
  payloadBytes: number;
  /** Client identifier of its sender, or of its receiver. */
  clientId: string;
}

/** A publish that is being worked off. */
export interface PublishSpan {
  readonly context: TraceContext;
  /** Ends the span of a message that was acknowledged, or handed over where nothing is acknowledged. */
  end(reasonCode: number): void;
}

/**
 * Port: traces. There is none while tracing is off. Only messages that are sampled get here: what is not has no context, and costs a check for null.
 */
export interface Tracer {
  /** A publisher's context is to be passed on to subscribers that have room for it and whose message carries none. */
  readonly writesContext: boolean;
  /**
   * Publishes until one may begin a trace, if it has no parent. Who reads publishes counts it down, a call for each would cost a twentieth of what it takes to hand a
   * publish on (20 pairs at full speed), and asks `beginsTrace` at 0.
   */
  untilRoot: number;
  /**
   * True when this publish, at which `untilRoot` came to 0, begins a trace; sets it anew. `now`: milliseconds since
   * 1970, as of the chunk that is being worked off.
   */
  beginsTrace(now: number): boolean;
  /** `parent`: of the publisher, null: this is the root. `readAt`: milliseconds since 1970. Null: there are too many; the message is not traced. */
  startPublish(parent: TraceContext | null, message: TracedMessage, readAt: number): PublishSpan | null;
  /** Starts the span of one delivery, from here to the client. Null: there are too many. */
  startDelivery(parent: TraceContext, message: TracedMessage): PublishSpan | null;
}
