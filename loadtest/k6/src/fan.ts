import { Run } from './run.ts';
import { traffic } from './traffic.ts';

/** Every subscriber hears every publisher, each on a topic of its own. Which of them are many is what the settings of a scenario say (settings.ts). */
export function fan(name: 'fan-in' | 'fan-out'): Run {
  return new Run(name, (group) =>
    traffic(group, {
      publishers: group.settings.publishers,
      subscribers: group.settings.subscribers,
      topic: (publisher) => `from/${publisher}`,
      filter: (_, prefix) => `${prefix}/from/+`,
      audiences: group.settings.subscribers,
      audience: (subscriber) => subscriber,
      hears: () => true,
      isOrdered: true,
    }),
  );
}
