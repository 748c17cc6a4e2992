/**
 * Whether and how this node traces: its own configuration, and the variables that every program with OpenTelemetry reads (OpenTelemetry specification, "Environment
 * Variable Specification" and "OTLP Exporter Configuration"). Those of the exporter that are not here (headers, certificates, compression, time-out) it reads itself.
 */

/** The keys under `tracing`. */
export interface TracingKeys {
  endpoint: string;
  sampledPerMillion: number;
  spansPerSecondMax: number;
  writeContext: boolean;
}

export interface TracingSettings {
  /** Where spans go; null: the exporter has it from its variables. */
  url: string | null;
  protocol: 'http/protobuf' | 'http/json';
  /** Of publishes whose sender has not decided: from 0 to 1. */
  ratio: number;
  /** Of each worker. */
  spansPerSecondMax: number;
  writesContext: boolean;
  batch: {
    scheduledDelayMillis?: number;
    maxQueueSize?: number;
    maxExportBatchSize?: number;
    exportTimeoutMillis?: number;
  };
}

/** What stands in a variable and cannot be followed. */
export class TracingError extends Error {}

const protocols = ['http/protobuf', 'http/json'] as const;

const batchVariables = {
  scheduledDelayMillis: 'OTEL_BSP_SCHEDULE_DELAY',
  maxQueueSize: 'OTEL_BSP_MAX_QUEUE_SIZE',
  maxExportBatchSize: 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE',
  exportTimeoutMillis: 'OTEL_BSP_EXPORT_TIMEOUT',
} as const;

/** Null: nothing is traced. Throws TracingError. */
export function tracingSettings(keys: TracingKeys, environment: NodeJS.ProcessEnv): TracingSettings | null {
  const of = (name: string): string => environment[name]?.trim() ?? '';
  const exporter = of('OTEL_TRACES_EXPORTER');
  if (of('OTEL_SDK_DISABLED').toLowerCase() === 'true' || exporter === 'none') return null;
  const isAsked =
    keys.endpoint !== '' ||
    exporter !== '' ||
    of('OTEL_EXPORTER_OTLP_ENDPOINT') !== '' ||
    of('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') !== '';
  if (!isAsked) return null;
  if (exporter !== '' && exporter !== 'otlp') refuse('OTEL_TRACES_EXPORTER', exporter, 'otlp, none');
  const name = of('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL') || of('OTEL_EXPORTER_OTLP_PROTOCOL') || protocols[0];
  const protocol = protocols.find((known) => known === name);
  if (protocol === undefined) return refuse('OTEL_EXPORTER_OTLP_PROTOCOL', name, protocols.join(', '));
  const batch: TracingSettings['batch'] = {};
  for (const [key, variable] of Object.entries(batchVariables) as [keyof typeof batchVariables, string][])
    if (of(variable) !== '') batch[key] = wholeNumber(variable, of(variable));
  return {
    url: keys.endpoint === '' ? null : `${keys.endpoint.replace(/\/$/, '')}/v1/traces`,
    protocol,
    ratio: ratioOf(of('OTEL_TRACES_SAMPLER'), of('OTEL_TRACES_SAMPLER_ARG'), keys.sampledPerMillion / 1e6),
    spansPerSecondMax: keys.spansPerSecondMax,
    writesContext: keys.writeContext,
    batch,
  };
}

/** A publisher that has decided is followed, whatever the sampler: `always_on` is taken as `parentbased_always_on`, and so on. */
function ratioOf(sampler: string, argument: string, configured: number): number {
  switch (sampler.replace(/^parentbased_/, '')) {
    case '':
      return configured;
    case 'always_on':
      return 1;
    case 'always_off':
      return 0;
    case 'traceidratio': {
      const ratio = argument === '' ? 1 : Number(argument);
      return ratio >= 0 && ratio <= 1 ? ratio : refuse('OTEL_TRACES_SAMPLER_ARG', argument, 'a number from 0 to 1');
    }
    default:
      return refuse('OTEL_TRACES_SAMPLER', sampler, '[parentbased_]always_on, always_off, traceidratio');
  }
}

function wholeNumber(variable: string, text: string): number {
  const number = Number(text);
  return Number.isSafeInteger(number) && number > 0 ? number : refuse(variable, text, 'a whole number above 0');
}

function refuse(variable: string, given: string, allowed: string): never {
  throw new TracingError(`${variable}: given "${given}", allowed: ${allowed}`);
}
