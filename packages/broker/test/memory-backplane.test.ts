import { backplaneContract } from '../src/contract/backplane-contract.ts';
import { type MemoryBackplane, MemoryBackplaneHub } from '../src/memory/memory-backplane.ts';
import type { Clock } from '../src/ports/clock.ts';

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
