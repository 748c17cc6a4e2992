import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { backplaneContract } from '@dunlin/broker/contract';
import { MessagePortBackplane } from '../src/backplane/message-port-backplane.ts';
import { EndpointNames } from '../src/endpoint-name.ts';

const names = new EndpointNames('node');

// Channels as the supervisor hands them out; a thread that dies closes its ends.
backplaneContract('message ports', () => {
  const members: { backplane: MessagePortBackplane; ports: MessagePort[] }[] = [];
  const kill = (ports: MessagePort[]) => {
    for (const port of ports) port.close();
  };
  return {
    add() {
      const self = names.next(members.length);
      const others = members.map((member) => ({ member, channel: new MessageChannel() }));
      const peers = others.map(({ member, channel }) => ({ endpoint: member.backplane.self, port: channel.port1 }));
      const backplane = new MessagePortBackplane(self, peers);
      for (const { member, channel } of others) {
        member.ports.push(channel.port2);
        member.backplane.join({ endpoint: self, port: channel.port2 });
      }
      members.push({ backplane, ports: others.map(({ channel }) => channel.port1) });
      return backplane;
    },
    kill(backplane) {
      const index = members.findIndex((member) => member.backplane === backplane);
      kill(members.splice(index, 1)[0].ports);
    },
    async close() {
      for (const member of members) kill(member.ports);
    },
  };
});
