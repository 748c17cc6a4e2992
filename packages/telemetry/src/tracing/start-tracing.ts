import type { Logger, Metrics } from '@dunlin/broker';
import { events } from '../log-events.ts';
import { OtelTracer } from './otel-tracer.ts';
import { collectorOf, describeFailure } from './trace-failure.ts';
import type { TracingSettings } from './tracing-settings.ts';

/** A collector that is away fails every few seconds: it is said so often. */
const failureSaidEveryMilliseconds = 60_000;

export interface TracedThread {
  nodeId: string;
  /** `a/0#17…` */
  endpoint: string;
  version: string;
  logger: Logger;
  /** Metrics that count spans. */
  metrics: Metrics;
}

/** The tracer of one thread. What it needs is loaded here: a node that does not trace has none of it in memory. */
export async function startTracing(settings: TracingSettings, thread: TracedThread): Promise<OtelTracer> {
  const [api, sdk, resources, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/resources'),
    settings.protocol === 'http/json'
      ? import('@opentelemetry/exporter-trace-otlp-http')
      : import('@opentelemetry/exporter-trace-otlp-proto'),
  ]);
  api.diag.setLogger(diagnosticsTo(thread.logger, collectorOf(settings)), {
    logLevel: api.DiagLogLevel.WARN,
    suppressOverrideMessage: true,
  });
  const own = resources.resourceFromAttributes({
    'service.name': 'dunlin',
    'service.version': thread.version,
    'service.instance.id': thread.endpoint,
    'dunlin.node': thread.nodeId,
  });
  // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come before what we say of ourselves.
  const resource = own.merge(resources.detectResources({ detectors: [resources.envDetector] }));
  const exporter = new OTLPTraceExporter(settings.url === null ? {} : { url: settings.url });
  const provider = new sdk.TracerProvider({
    resource,
    // Who gets here is sampled already.
    sampler: new sdk.AlwaysOnSampler(),
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter, ...settings.batch })],
  });
  return new OtelTracer({ api, provider, settings, version: thread.version, metrics: thread.metrics });
}

function diagnosticsTo(logger: Logger, to: string) {
  let saidAt = Number.NEGATIVE_INFINITY;
  const say = (message: string, ...details: unknown[]): void => {
    const fields = { to, error: [describeFailure(message), ...details.map(String)].join(' ') };
    const now = performance.now();
    if (now - saidAt < failureSaidEveryMilliseconds) {
      logger.debug(events['traces.send-failed'], fields);
      return;
    }
    saidAt = now;
    logger.warn(events['traces.send-failed'], fields);
  };
  const nothing = (): void => undefined;
  return { error: say, warn: say, info: nothing, debug: nothing, verbose: nothing };
}
