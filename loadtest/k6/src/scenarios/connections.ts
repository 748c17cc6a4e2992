import type { MqttClient } from '../client.ts';
import type { Group } from '../group.ts';
import { Run } from '../run.ts';
import { numbered } from '../traffic.ts';

/** Connects all, lets them be for DURATION_SECONDS, and asks each whether it is still there. */
async function connections(group: Group): Promise<void> {
  const { settings, clock } = group;
  const clients = await group.connectAll(
    numbered(settings.connections, (index) => ({ name: `c${index}`, broker: index })),
  );
  await group.sleep(settings.durationSeconds * 1000);
  // What has been lost by now is counted already.
  await Promise.all(
    clients
      .filter((client) => client.isOpen)
      .map(async (client: MqttClient) => {
        const asked = clock.now();
        await client.ping();
        group.add('mqtt_ping_time', clock.now() - asked);
      }),
  );
}

const run = new Run('connections', connections);

export const { options, handleSummary } = run;
export default run.main;
