/** Log lines about a collector that is away. */
import { expect, test } from 'vitest';
import { collectorOf, describeFailure } from '../src/tracing/trace-failure.ts';
import type { TracingSettings } from '../src/tracing/tracing-settings.ts';

test.each([
  [
    '{"stack":"Error: connect ECONNREFUSED 127.0.0.1:4318\\n    at x","message":"connect ECONNREFUSED 127.0.0.1:4318","code":"ECONNREFUSED"}',
    'connection refused (connect ECONNREFUSED 127.0.0.1:4318)',
  ],
  ['{"stack":"AggregateError","message":"","code":"ECONNREFUSED"}', 'connection refused (ECONNREFUSED)'],
  ['{"message":"Not Found","name":"OTLPExporterError","code":"404"}', 'Not Found, 404'],
  ['{"code":', '{"code":'],
  ['Export timed out', 'Export timed out'],
])('%s', (given, said) => {
  expect(describeFailure(given)).toBe(said);
});

test('where spans go, without what lets somebody in', () => {
  const settings = (url: string | null) => ({ url }) as TracingSettings;
  expect(collectorOf(settings('http://ann:secret@collector:4318/v1/traces'))).toBe('http://collector:4318/v1/traces');
  expect(collectorOf(settings(null), { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://other' })).toBe('https://other');
  expect(collectorOf(settings(null), {})).toBe('http://localhost:4318');
});
