import { z } from 'zod';

const endpointPattern = /^(https?:\/\/\S+)?$/;
const isUrlOrNone = (text: string): boolean => text === '' || URL.canParse(text);

/** Keys under `tracing`. The variables of OpenTelemetry (`OTEL_*`) hold as well. */
export const tracingShape = {
  endpoint: z.string().regex(endpointPattern).refine(isUrlOrNone).default('').meta({
    description:
      'Where spans are sent, an OTLP collector over HTTP: `http://127.0.0.1:4318`. Without it, and without `OTEL_EXPORTER_OTLP_ENDPOINT`, nothing is traced.',
    allowed: 'http://HOST:PORT or https://HOST:PORT',
    defaultText: 'none',
    isSecret: true,
  }),
  sampledPerMillion: z.int().min(0).max(1_000_000).default(10_000).meta({
    description:
      'Of a million publishes whose sender has not decided (`traceparent`), so many are traced. `OTEL_TRACES_SAMPLER` comes first.',
  }),
  spansPerSecondMax: z.int().min(1).max(1_000_000).default(100).meta({
    description:
      'Spans that each worker makes in a second at most, one for a publish and one for each delivery. What is above goes untraced, and is counted.',
  }),
  writeContext: z.boolean().default(false).meta({
    description:
      'Deliveries to MQTT 5 clients carry the context of their span as the user property `traceparent`, unless the publisher has sent one.',
  }),
};
