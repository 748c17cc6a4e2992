import type { Metrics, PublishSpan, TraceContext, TracedMessage, Tracer } from '@dunlin/broker';
import type { Tracer as ApiTracer, Attributes, Context, Span, SpanContext } from '@opentelemetry/api';
import type { TracerProvider } from '@opentelemetry/sdk-trace';
import { RatioSampler } from './ratio-sampler.ts';
import { SpanAllowance } from './span-allowance.ts';
import type { TracingSettings } from './tracing-settings.ts';

type Api = typeof import('@opentelemetry/api');

/** Lowest reason code of a message that did not arrive. */
const failureReasonCode = 0x80;
const traceIdBytes = 16;
const spanIdBytes = 8;

export interface OtelTracerParts {
  api: Api;
  provider: TracerProvider;
  settings: TracingSettings;
  /** Version of Dunlin. */
  version: string;
  metrics: Metrics;
}

/**
 * The tracer port over OpenTelemetry. A publish is a span of kind consumer: the broker receives from the publisher; each delivery is one of kind producer: the broker sends to a
 * subscriber. Names and attributes are those of the semantic conventions for messaging, as far as they have any for MQTT.
 */
export class OtelTracer implements Tracer {
  readonly writesContext: boolean;
  untilRoot: number;
  readonly #api: Api;
  readonly #provider: TracerProvider;
  readonly #tracer: ApiTracer;
  readonly #metrics: Metrics;
  private readonly sampler: RatioSampler;
  private readonly allowance: SpanAllowance;

  constructor({ api, provider, settings, version, metrics }: OtelTracerParts) {
    this.#api = api;
    this.#provider = provider;
    this.#tracer = provider.getTracer('dunlin', version);
    this.#metrics = metrics;
    this.sampler = new RatioSampler(settings.ratio);
    this.untilRoot = this.sampler.draw();
    this.allowance = new SpanAllowance(settings.spansPerSecondMax);
    this.writesContext = settings.writesContext;
  }

  beginsTrace(now: number): boolean {
    const isPicked = this.sampler.endsWithPick;
    this.untilRoot = this.sampler.draw();
    if (!isPicked) return false;
    if (this.allowance.hasLeft(now)) return true;
    this.#metrics.spansSkipped++;
    return false;
  }

  startPublish(parent: TraceContext | null, message: TracedMessage, readAt: number): PublishSpan | null {
    if (!this.allowance.takeForPublish()) return this.#skip();
    this.#metrics.spansStarted++;
    const { SpanKind, ROOT_CONTEXT } = this.#api;
    const attributes = attributesOf('publish', 'process', message);
    const context = parent === null ? ROOT_CONTEXT : this.#contextOf(parent);
    const kind = SpanKind.CONSUMER;
    return new OtelSpan(this.#api, this.#tracer.startSpan('publish', { kind, startTime: readAt, attributes }, context));
  }

  startDelivery(parent: TraceContext, message: TracedMessage): PublishSpan | null {
    if (!this.allowance.takeForDelivery()) return this.#skip();
    this.#metrics.spansStarted++;
    const kind = this.#api.SpanKind.PRODUCER;
    const attributes = attributesOf('deliver', 'send', message);
    return new OtelSpan(
      this.#api,
      this.#tracer.startSpan('deliver', { kind, startTime: Date.now(), attributes }, this.#contextOf(parent)),
    );
  }

  #skip(): null {
    this.#metrics.spansSkipped++;
    return null;
  }

  #contextOf(bytes: TraceContext): Context {
    const { trace, ROOT_CONTEXT } = this.#api;
    const parent: SpanContext = {
      traceId: bytes.toString('hex', 0, traceIdBytes),
      spanId: bytes.toString('hex', traceIdBytes, traceIdBytes + spanIdBytes),
      traceFlags: bytes[traceIdBytes + spanIdBytes],
      isRemote: true,
    };
    return trace.setSpanContext(ROOT_CONTEXT, parent);
  }

  /** Sends what is left. */
  async stop(): Promise<void> {
    await this.#provider.shutdown();
  }
}

class OtelSpan implements PublishSpan {
  readonly context: TraceContext;
  readonly #api: Api;
  readonly #span: Span;

  constructor(api: Api, span: Span) {
    this.#api = api;
    this.#span = span;
    const { traceId, spanId, traceFlags } = span.spanContext();
    this.context = Buffer.from(traceId + spanId + traceFlags.toString(16).padStart(2, '0'), 'hex');
  }

  end(reasonCode: number): void {
    if (reasonCode >= failureReasonCode) {
      this.#span.setAttribute('error.type', `0x${reasonCode.toString(16)}`);
      this.#span.setStatus({ code: this.#api.SpanStatusCode.ERROR });
    }
    this.#span.end(Date.now());
  }
}

function attributesOf(name: string, type: string, { topic, qos, payloadBytes, clientId }: TracedMessage): Attributes {
  return {
    'messaging.system': 'mqtt',
    'messaging.operation.name': name,
    'messaging.operation.type': type,
    'messaging.destination.name': topic,
    'messaging.client.id': clientId,
    'messaging.message.body.size': payloadBytes,
    'messaging.mqtt.qos': qos,
  };
}
