/** Log lines about a collector that does not take spans. */
import type { TracingSettings } from './tracing-settings.ts';

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was reset',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the host name cannot be looked up now',
  ETIMEDOUT: 'no answer in time',
};

/** Address of the collector, without a user or a password that stands in the URL. */
export function collectorOf({ url }: TracingSettings, environment: NodeJS.ProcessEnv = process.env): string {
  const given =
    url ??
    environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ??
    environment.OTEL_EXPORTER_OTLP_ENDPOINT ??
    'http://localhost:4318';
  return given.replace(/\/\/[^/@]*@/, '//');
}

/** OpenTelemetry gives an error as JSON, with its stack; a sentence of its own is left as it is. */
export function describeFailure(message: string): string {
  if (!message.startsWith('{')) return message;
  try {
    const { message: text = '', code } = JSON.parse(message) as { message?: string; code?: string | number };
    const word = words[String(code)];
    if (word !== undefined) return `${word} (${text === '' ? code : text})`;
    return [text, code].filter((part) => part !== undefined && part !== '').join(', ') || message;
  } catch {
    return message;
  }
}
