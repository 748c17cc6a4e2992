import { Run } from '../run.ts';
import { traffic } from '../traffic.ts';

// All members are one audience: each message comes to one of them.
const run = new Run('shared', (group) =>
  traffic(group, {
    publishers: group.settings.publishers,
    subscribers: group.settings.subscribers,
    topic: (publisher) => `from/${publisher}`,
    filter: (_, prefix) => `$share/members/${prefix}/from/+`,
    audiences: 1,
    audience: () => 0,
    hears: () => true,
    isOrdered: false,
  }),
);

export const { options, handleSummary } = run;
export default run.main;
