import { describe, expect, test } from 'vitest';
import { TracingError, tracingSettings } from '../src/index.ts';

const keys = { endpoint: '', sampledPerMillion: 10_000, spansPerSecondMax: 2000, writeContext: false };
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
    expect(tracingSettings({ ...keys, ...more }, environment) !== null).toBe(isOn);
  });
});

test('an endpoint of the configuration gets the path of traces; the exporter reads its own variables', () => {
  expect(tracingSettings({ ...keys, endpoint: 'http://127.0.0.1:4318/' }, {})?.url).toBe(
    'http://127.0.0.1:4318/v1/traces',
  );
  expect(tracingSettings(keys, collector)?.url).toBeNull();
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
  expect(tracingSettings(keys, environment)?.ratio).toBe(ratio);
});

test('the protocol of traces comes before that of all signals', () => {
  expect(tracingSettings(keys, collector)?.protocol).toBe('http/protobuf');
  const both = { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json' };
  expect(tracingSettings(keys, { ...collector, ...both })?.protocol).toBe('http/json');
});

test('batches', () => {
  const environment = { ...collector, OTEL_BSP_SCHEDULE_DELAY: '100', OTEL_BSP_MAX_QUEUE_SIZE: '64' };
  expect(tracingSettings(keys, environment)?.batch).toEqual({ scheduledDelayMillis: 100, maxQueueSize: 64 });
});

test.each([
  { OTEL_TRACES_EXPORTER: 'jaeger' },
  { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
  { OTEL_TRACES_SAMPLER: 'sometimes' },
  { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' },
  { OTEL_BSP_SCHEDULE_DELAY: 'soon' },
])('what cannot be followed is refused by name: %j', (environment) => {
  expect(() => tracingSettings(keys, { ...collector, ...environment })).toThrow(TracingError);
});
