import { Run } from '../run.ts';
import { traffic } from '../traffic.ts';

const run = new Run('point-to-point', (group) =>
  traffic(group, {
    publishers: group.settings.pairs,
    subscribers: group.settings.pairs,
    topic: (publisher) => `pair/${publisher}`,
    filter: (subscriber, prefix) => `${prefix}/pair/${subscriber}`,
    audiences: group.settings.pairs,
    audience: (subscriber) => subscriber,
    hears: (audience, publisher) => audience === publisher,
    isOrdered: true,
  }),
);

export const { options, handleSummary } = run;
export default run.main;
