/**
 * Settings of tracing: its own configuration, and the variables that every program with OpenTelemetry reads
 * (OpenTelemetry specification, "Environment Variable Specification" and "OTLP Exporter Configuration"). Those of the
 * exporter (addresses, headers, certificates, compression, time-out) it reads itself, and takes its defaults in silence
 * where it does not understand one: what is wrong with them is told here.
 */

/** The keys under `tracing`. */
export interface TracingKeys {
  endpoint: string;
  sampledPerMillion: number;
  spansPerSecondMax: number;
  writeContext: boolean;
}

export interface TracingSettings {
  /** URL of the collector; null: the exporter has it from its variables. */
  url: string | null;
  protocol: 'http/protobuf' | 'http/json';
  /** Ratio of publishes traced whose sender has not decided: from 0 to 1. */
  ratio: number;
  /** Limit of spans of each worker. */
  spansPerSecondMax: number;
  writesContext: boolean;
  batch: {
    scheduledDelayMillis?: number;
    maxQueueSize?: number;
    maxExportBatchSize?: number;
    exportTimeoutMillis?: number;
  };
}

/** A variable whose value is not understood, and what is done instead. OpenTelemetry asks for a warning, and for going on: such variables come with a machine, and are for many programs. */
export type Misunderstood = (variable: string, given: string, allowed: string, instead: string) => void;

const pathOfTraces = '/v1/traces';

const protocols = ['http/protobuf', 'http/json'] as const;

const batchVariables = {
  scheduledDelayMillis: 'OTEL_BSP_SCHEDULE_DELAY',
  maxQueueSize: 'OTEL_BSP_MAX_QUEUE_SIZE',
  maxExportBatchSize: 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE',
  exportTimeoutMillis: 'OTEL_BSP_EXPORT_TIMEOUT',
} as const;

/** Defaults of the specification: the processor would read a variable that is not understood by itself otherwise. */
const batchDefaults = {
  scheduledDelayMillis: 5000,
  maxQueueSize: 2048,
  maxExportBatchSize: 512,
  exportTimeoutMillis: 30_000,
} as const;

const exporterDefaults = { timeoutMilliseconds: '10000', address: 'http://localhost:4318' } as const;

/** Null: nothing is traced. */
export function tracingSettings(
  keys: TracingKeys,
  environment: NodeJS.ProcessEnv,
  misunderstood: Misunderstood,
): TracingSettings | null {
  const of = (name: string): string => environment[name]?.trim() ?? '';
  const exporters = of('OTEL_TRACES_EXPORTER')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (isDisabled(of, misunderstood) || exporters.join() === 'none') return null;
  const isAsked =
    keys.endpoint !== '' ||
    exporters.length > 0 ||
    of('OTEL_EXPORTER_OTLP_ENDPOINT') !== '' ||
    of('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') !== '';
  if (!isAsked) return null;
  const unknown = exporters.filter((exporter) => exporter !== 'otlp');
  if (unknown.length > 0) {
    const isElsewhere = keys.endpoint !== '' || exporters.includes('otlp');
    const instead = isElsewhere ? 'the others' : 'none: nothing is traced';
    misunderstood('OTEL_TRACES_EXPORTER', unknown.join(','), 'otlp, none', instead);
    if (!isElsewhere) return null;
  }
  checkExporter(of, keys.endpoint !== '', misunderstood);
  const batch: TracingSettings['batch'] = {};
  for (const [key, variable] of Object.entries(batchVariables) as [keyof typeof batchVariables, string][])
    if (of(variable) !== '') batch[key] = wholeNumber(variable, of(variable), batchDefaults[key], misunderstood);
  return {
    url: keys.endpoint === '' ? null : urlOf(keys.endpoint),
    protocol: protocolOf(of, misunderstood),
    ratio: ratioOf(
      of('OTEL_TRACES_SAMPLER'),
      of('OTEL_TRACES_SAMPLER_ARG'),
      keys.sampledPerMillion / 1e6,
      misunderstood,
    ),
    spansPerSecondMax: keys.spansPerSecondMax,
    writesContext: keys.writeContext,
    batch,
  };
}

function isDisabled(of: (name: string) => string, misunderstood: Misunderstood): boolean {
  const text = of('OTEL_SDK_DISABLED');
  if (!/^(true|false|)$/i.test(text)) misunderstood('OTEL_SDK_DISABLED', text, 'true, false', 'false');
  return text.toLowerCase() === 'true';
}

/**
 * Checks the variables that the exporter reads itself. With an address in the configuration it does not look at those
 * of variables.
 */
function checkExporter(of: (name: string) => string, hasAddress: boolean, misunderstood: Misunderstood): void {
  for (const variable of ['OTEL_EXPORTER_OTLP_TRACES_TIMEOUT', 'OTEL_EXPORTER_OTLP_TIMEOUT'])
    if (of(variable) !== '' && !(Number(of(variable)) > 0 && Number.isFinite(Number(of(variable)))))
      misunderstood(variable, of(variable), 'a number of milliseconds above 0', exporterDefaults.timeoutMilliseconds);
  for (const variable of ['OTEL_EXPORTER_OTLP_TRACES_COMPRESSION', 'OTEL_EXPORTER_OTLP_COMPRESSION'])
    if (!['', 'none', 'gzip'].includes(of(variable))) misunderstood(variable, of(variable), 'none, gzip', 'none');
  if (hasAddress) return;
  for (const variable of ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT'])
    if (of(variable) !== '' && !/^https?:$/.test(URL.parse(of(variable))?.protocol ?? ''))
      misunderstood(variable, of(variable), 'a URL with http:// or https://', exporterDefaults.address);
}

/** URL of the collector from an endpoint: some write the address of the collector, some that of its traces. */
function urlOf(endpoint: string): string {
  const base = endpoint.replace(/\/+$/, '');
  return base.endsWith(pathOfTraces) ? base : `${base}${pathOfTraces}`;
}

function protocolOf(of: (name: string) => string, misunderstood: Misunderstood): TracingSettings['protocol'] {
  const variables = ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL'];
  const variable = variables.find((name) => of(name) !== '');
  if (variable === undefined) return protocols[0];
  const known = protocols.find((name) => name === of(variable));
  if (known === undefined) misunderstood(variable, of(variable), protocols.join(', '), protocols[0]);
  return known ?? protocols[0];
}

/** A publisher that has decided is followed, whatever the sampler: `always_on` is taken as `parentbased_always_on`, and so on. */
function ratioOf(sampler: string, argument: string, configured: number, misunderstood: Misunderstood): number {
  switch (sampler.replace(/^parentbased_/, '')) {
    case '':
      return configured;
    case 'always_on':
      return 1;
    case 'always_off':
      return 0;
    case 'traceidratio': {
      const ratio = argument === '' ? 1 : Number(argument);
      if (ratio >= 0 && ratio <= 1) return ratio;
      misunderstood(
        'OTEL_TRACES_SAMPLER_ARG',
        argument,
        'a number from 0 to 1',
        `tracing.sampledPerMillion, ${configured}`,
      );
      return configured;
    }
    default:
      misunderstood(
        'OTEL_TRACES_SAMPLER',
        sampler,
        '[parentbased_]always_on, always_off, traceidratio',
        `tracing.sampledPerMillion, ${configured}`,
      );
      return configured;
  }
}

function wholeNumber(variable: string, text: string, instead: number, misunderstood: Misunderstood): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  misunderstood(variable, text, 'a whole number above 0', String(instead));
  return instead;
}
