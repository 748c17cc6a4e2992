export type { BrokerProcess } from './broker-process.ts';
export { type ClientResult, MosquittoSub, mosquittoPub } from './clients.ts';
export { DeadlineError, defaultDeadlineMilliseconds, withDeadline } from './deadline.ts';
export { type DunlinOptions, dunlinArguments, startDunlin } from './dunlin.ts';
export { freePort } from './free-port.ts';
export { type MosquittoOptions, startMosquitto } from './mosquitto.ts';
export { type Frame, PacketFramer } from './packet-framer.ts';
export {
  hex,
  prefixed,
  properties,
  type RawConnect,
  rawConnect,
  rawPacket,
  uint16,
  uint32,
  variableByteInteger,
} from './raw-packet.ts';
export { type ServerCommand, ServerProcess } from './server-process.ts';
export { WebSocketClient, webSocketOpcode } from './web-socket-client.ts';
export { type PacketOf, WireClient } from './wire-client.ts';
