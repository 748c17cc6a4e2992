/**
 * Endpoint in a process of its own, for tests that kill it or make it stand still. Leases are kept by the parent, asked
 * over the channel between the processes.
 *
 *     parent ◀── { question, name, owner, argument } / { told } ── child        parent ── { answer, value } ──▶ child
 */
import type { EndpointId, Leases } from '@dunlin/broker';
import { NatsBackplane } from '../src/index.ts';
import { Log } from './ear.ts';
import { realClock } from './real-clock.ts';

const [servers, self] = process.argv.slice(2);
const open = new Map<number, (value: boolean) => void>();
let questions = 0;

function ask(name: string, owner: EndpointId, argument: number | boolean): Promise<boolean> {
  const question = ++questions;
  return new Promise((resolve) => {
    open.set(question, resolve);
    process.send?.({ question, name, owner, argument });
  });
}

process.on('message', ({ answer, value }: { answer: number; value: boolean }) => open.get(answer)?.(value));

const leases: Leases = {
  renew: (owner, milliseconds) => ask('renew', owner, milliseconds),
  evict: (owner, evenIfAlive) => ask('evict', owner, evenIfAlive),
  end: async (owner) => void (await ask('end', owner, false)),
};
const tell = (told: string) => process.send?.({ told });

const backplane = new NatsBackplane({
  self,
  servers,
  leases,
  logger: new Log(),
  clock: realClock,
  evicted: () => tell('evicted'),
  leaseLost: () => tell('leaseLost'),
});
await backplane.start({
  endpointJoined: (endpoint) => tell(`joined ${endpoint}`),
  endpointLeft: (endpoint) => tell(`left ${endpoint}`),
  received: (_from, bytes) => tell(`received ${Buffer.from(bytes)}`),
  reconnected: () => tell('reconnected'),
});
// Says something whenever it runs: it must not be heard once it is dead.
setInterval(() => backplane.broadcast(Buffer.from(`${self} runs`)), 100);
tell('started');
