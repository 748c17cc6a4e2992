import { describe, expect, test } from 'vitest';
import { tracingSettings } from '../src/index.ts';

const keys = { endpoint: '', sampledPerMillion: 10_000, spansPerSecondMax: 2000, writeContext: false };
/** Everything is understood. */
function never(variable: string): never {
  throw new TypeError(`${variable} was not understood`);
}

const collector = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };

describe('tracing is', () => {
  test.each([
    ['off when nobody asks for it', {}, {}, false],
    ['on with an endpoint in the configuration', { endpoint: 'http://127.0.0.1:4318' }, {}, true],
    ['on with the endpoint of all signals', {}, collector, true],
    ['on with that of traces', {}, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:4318/v1/traces' }, true],
    ['on with the exporter named', {}, { OTEL_TRACES_EXPORTER: 'otlp' }, true],
    ['off with none', {}, { ...collector, OTEL_TRACES_EXPORTER: 'none' }, false],
    ['off when all of it is', { endpoint: 'http://127.0.0.1:4318' }, { OTEL_SDK_DISABLED: 'TRUE' }, false],
    ['off with variables that are empty', {}, { OTEL_EXPORTER_OTLP_ENDPOINT: '', OTEL_TRACES_EXPORTER: ' ' }, false],
  ])('%s', (_name, more, environment, isOn) => {
    expect(tracingSettings({ ...keys, ...more }, environment, never) !== null).toBe(isOn);
  });
});

test('an endpoint of the configuration gets the path of traces; the exporter reads its own variables', () => {
  expect(tracingSettings({ ...keys, endpoint: 'http://127.0.0.1:4318/' }, {}, never)?.url).toBe(
    'http://127.0.0.1:4318/v1/traces',
  );
  expect(tracingSettings(keys, collector, never)?.url).toBeNull();
});

test.each([
  ['', '', 0.01],
  ['always_on', '', 1],
  ['parentbased_always_on', '', 1],
  ['always_off', '', 0],
  ['parentbased_always_off', '', 0],
  ['traceidratio', '0.25', 0.25],
  ['parentbased_traceidratio', '0', 0],
  ['parentbased_traceidratio', '', 1],
])('sampler "%s" with "%s": %d', (sampler, argument, ratio) => {
  const environment = { ...collector, OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: argument };
  expect(tracingSettings(keys, environment, never)?.ratio).toBe(ratio);
});

test('the protocol of traces comes before that of all signals', () => {
  expect(tracingSettings(keys, collector, never)?.protocol).toBe('http/protobuf');
  const both = { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json' };
  expect(tracingSettings(keys, { ...collector, ...both }, never)?.protocol).toBe('http/json');
});

test('batches', () => {
  const environment = { ...collector, OTEL_BSP_SCHEDULE_DELAY: '100', OTEL_BSP_MAX_QUEUE_SIZE: '64' };
  expect(tracingSettings(keys, environment, never)?.batch).toEqual({ scheduledDelayMillis: 100, maxQueueSize: 64 });
});

test.each(['http://c:4318', 'http://c:4318/', 'http://c:4318/v1/traces', 'http://c:4318/v1/traces/'])(
  'the path of traces is there once: %s',
  (endpoint) => {
    expect(tracingSettings({ ...keys, endpoint }, {}, never)?.url).toBe('http://c:4318/v1/traces');
  },
);

/** Variables that are set with a collector, the variable that is told, and what is done. */
test.each([
  [{ OTEL_TRACES_EXPORTER: 'otlp,console' }, 'OTEL_TRACES_EXPORTER', { protocol: 'http/protobuf' }],
  [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'OTEL_EXPORTER_OTLP_PROTOCOL', { protocol: 'http/protobuf' }],
  [{ OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc' }, 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', { protocol: 'http/protobuf' }],
  [{ OTEL_TRACES_SAMPLER: 'jaeger_remote' }, 'OTEL_TRACES_SAMPLER', { ratio: 0.01 }],
  [{ OTEL_TRACES_SAMPLER: 'parentbased_jaeger_remote' }, 'OTEL_TRACES_SAMPLER', { ratio: 0.01 }],
  [{ OTEL_TRACES_SAMPLER: 'xray' }, 'OTEL_TRACES_SAMPLER', { ratio: 0.01 }],
  [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' }, 'OTEL_TRACES_SAMPLER_ARG', { ratio: 0.01 }],
  [{ OTEL_BSP_MAX_QUEUE_SIZE: '0' }, 'OTEL_BSP_MAX_QUEUE_SIZE', { batch: { maxQueueSize: 2048 } }],
  [{ OTEL_SDK_DISABLED: 'yes' }, 'OTEL_SDK_DISABLED', { ratio: 0.01 }],
  [{ OTEL_EXPORTER_OTLP_TIMEOUT: 'soon' }, 'OTEL_EXPORTER_OTLP_TIMEOUT', {}],
  [{ OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '0' }, 'OTEL_EXPORTER_OTLP_TRACES_TIMEOUT', {}],
  [{ OTEL_EXPORTER_OTLP_COMPRESSION: 'zstd' }, 'OTEL_EXPORTER_OTLP_COMPRESSION', {}],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector' }, 'OTEL_EXPORTER_OTLP_ENDPOINT', { url: null }],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'collector:4318' }, 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', { url: null }],
  [{ OTEL_BSP_SCHEDULE_DELAY: 'soon' }, 'OTEL_BSP_SCHEDULE_DELAY', { batch: { scheduledDelayMillis: 5000 } }],
])('what is not understood is told by name, and the default taken: %j', (environment, variable, settings) => {
  const told: string[] = [];
  expect(tracingSettings(keys, { ...collector, ...environment }, (name) => told.push(name))).toMatchObject(settings);
  expect(told).toEqual([variable]);
});

test('with an exporter alone that is not known nothing is traced, and that is told', () => {
  const told: string[] = [];
  const tell = (variable: string, given: string) => told.push(`${variable}=${given}`);
  expect(tracingSettings(keys, { OTEL_TRACES_EXPORTER: 'console' }, tell)).toBeNull();
  expect(told).toEqual(['OTEL_TRACES_EXPORTER=console']);
});
