import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { NatsBackplane } from '@dunlin/backplane-nats';
import type { Clock, Logger } from '@dunlin/broker';
import { backplaneContract } from '@dunlin/broker/contract';
import { MemoryLeases } from '@dunlin/broker/testing';
import { FaultProxy, startNats } from '@dunlin/testkit';
import { afterAll } from 'vitest';
import { MessagePortBackplane } from '../src/backplane/message-port-backplane.ts';
import { NodeBackplane } from '../src/backplane/node-backplane.ts';
import { EndpointNames } from '../src/endpoint-name.ts';
import { SystemClock } from '../src/system-clock.ts';

/** Timings, so many times faster than in a cluster; the lease outlives the pauses of a busy machine. */
const timings = {
  heartbeatMilliseconds: 60,
  renewMilliseconds: 100,
  leaseMilliseconds: 1000,
  suspectMilliseconds: 300,
  askMilliseconds: 100,
  lostMilliseconds: 600,
  roundTripMilliseconds: 200,
  joinQuietMilliseconds: 60,
  joinMilliseconds: 500,
  connectMilliseconds: 30,
};

/** Timers that stop with their process. */
class StoppableClock extends SystemClock implements Clock {
  #cancels: (() => void)[] = [];

  override every(milliseconds: number, callback: () => void): () => void {
    const cancel = super.every(milliseconds, callback);
    this.#cancels.push(cancel);
    return cancel;
  }

  die(): void {
    for (const cancel of this.#cancels) cancel();
  }
}

interface Member {
  node: string;
  backplane: NodeBackplane;
  local: MessagePortBackplane;
  remote: NatsBackplane;
  /** Its ends of the channels to the other workers of its node. */
  ports: MessagePort[];
  proxy: FaultProxy;
  clock: StoppableClock;
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };
const nats = await startNats();
/** No case of the suite has more endpoints. */
const proxies = await Promise.all(Array.from({ length: 5 }, () => FaultProxy.start(nats)));
afterAll(async () => {
  await Promise.all(proxies.map((proxy) => proxy.close()));
  await nats.stop();
});

let meshes = 0;

/** Workers dealt out to nodes in turn: each test has neighbours on the same node and on others. */
function meshOf(nodes: readonly string[]) {
  const names = new Map(nodes.map((node) => [node, new EndpointNames(node)]));
  const leases = new MemoryLeases(new SystemClock());
  const clusterName = `mesh-${++meshes}`;
  const members: Member[] = [];
  let made = 0;
  let isOver = false;
  for (const proxy of proxies) proxy.heal();
  return {
    add() {
      const proxy = proxies[made];
      const node = nodes[made % nodes.length];
      const self = (names.get(node) as EndpointNames).next(made++);
      const channels = members
        .filter((member) => member.node === node)
        .map((member) => ({ member, channel: new MessageChannel() }));
      const local = new MessagePortBackplane(
        self,
        channels.map(({ member, channel }) => ({ endpoint: member.backplane.self, port: channel.port1 })),
      );
      for (const { member, channel } of channels) {
        member.ports.push(channel.port2);
        member.local.join({ endpoint: self, port: channel.port2 });
      }
      const clock = new StoppableClock();
      const remote = new NatsBackplane({
        self,
        servers: `nats://127.0.0.1:${proxy.port}`,
        clusterName,
        leases,
        logger: silent,
        clock,
        ignores: (other) => other.startsWith(`${node}/`),
        timings,
      });
      const backplane = new NodeBackplane(local, remote);
      members.push({
        node,
        backplane,
        local,
        remote,
        ports: channels.map(({ channel }) => channel.port1),
        proxy,
        clock,
      });
      return backplane;
    },
    kill(backplane: unknown) {
      const [member] = members.splice(
        members.findIndex((known) => known.backplane === backplane),
        1,
      );
      member.clock.die();
      for (const port of member.ports) port.close();
      // What a process has written before it is killed is still sent by the kernel.
      void member.remote.flushed().then(() => {
        // The next test heals the proxies before it uses them: a late cut would be one too many.
        if (!isOver) member.proxy.cut();
      });
    },
    async close() {
      isOver = true;
      await Promise.all(members.map(({ backplane }) => backplane.stop()));
    },
  };
}

backplaneContract('message ports and NATS, two nodes', () => meshOf(['x', 'y']));
backplaneContract('message ports and NATS, one node', () => meshOf(['x']));
