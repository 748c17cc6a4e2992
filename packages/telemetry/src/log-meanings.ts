// For docs/log.md alone: nothing that runs in a node imports it.
import type { LogMeanings } from '@dunlin/broker';
import { events } from './log-events.ts';

export { events };

export const meanings: LogMeanings<typeof events> = {
  'store.recovered': {
    meaning:
      'The store answers again after an outage. While it lasted, each kind of failed call was logged once for the node; the others were logged at level debug, and are counted here.',
    action: '',
  },
  'traces.send-failed': {
    meaning:
      'The collector of OpenTelemetry did not take spans; they are lost. MQTT goes on. At most once a minute; the others at level debug.',
    action:
      'Look at `error`, and whether the collector answers at `to` from this node (`OTEL_EXPORTER_OTLP_ENDPOINT`).',
  },
};
