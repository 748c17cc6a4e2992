import { backplaneContract } from '../contract/backplane-contract.ts';
import type { Clock } from '../ports/clock.ts';
import { type MemoryBackplane, MemoryBackplaneHub } from './memory-backplane.ts';

const clock: Clock = {
  now: Date.now,
  every: () => () => undefined,
  nextTurn: (callback) => void setImmediate(callback),
};

backplaneContract('memory', () => {
  const hub = new MemoryBackplaneHub(clock);
  let made = 0;
  return {
    add: () => hub.endpoint(`node/${made}#${++made}`),
    kill: (backplane) => (backplane as MemoryBackplane).kill(),
    close: async () => {
      for (const member of [...hub.members.values()]) member.kill();
    },
  };
});
