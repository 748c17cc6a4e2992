import { Run } from '../run.ts';
import { traffic } from '../traffic.ts';

const run = new Run('fan-out', (group) =>
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

export const { options, handleSummary } = run;
export default run.main;
