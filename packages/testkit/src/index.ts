export type { BrokerProcess } from './broker-process.ts';
export { type ClientResult, MosquittoSub, mosquittoPub } from './clients.ts';
export { positiveNumber, tellFailure, UsageError, wholeNumber } from './command-options.ts';
export { Conversation, type Introduction, textsOf } from './conversation.ts';
export { DeadlineError, defaultDeadlineMilliseconds, withDeadline } from './deadline.ts';
export { type DunlinOptions, dunlinArguments, startDunlin } from './dunlin.ts';
export { FaultProxy, type FaultProxyTarget } from './fault-proxy.ts';
export { freePort } from './free-port.ts';
export { type HaproxyOptions, type HaproxyProcess, startHaproxy } from './haproxy.ts';
export { HttpQuestionServer, type Question, type Reply } from './http-question-server.ts';
export { type MosquittoOptions, startMosquitto } from './mosquitto.ts';
export { type NatsOptions, type NatsProcess, type NatsTlsFiles, startNats } from './nats.ts';
export { type Frame, PacketFramer } from './packet-framer.ts';
export {
  ackPacket,
  type ConnectOptions,
  connectPacket,
  disconnectPacket,
  type FilterOptions,
  type PacketOf,
  type PublishOptions,
  publishPacket,
  subscribePacket,
  unsubscribePacket,
} from './packets.ts';
export { findProgramFile, MissingProgramError, type ProgramSearch } from './program-file.ts';
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
export {
  type RedisCluster,
  type RedisOptions,
  type RedisSentinel,
  type RedisServer,
  redisServerPath,
  startRedis,
  startRedisCluster,
  startSentinel,
} from './redis.ts';
export { redisCall } from './redis-call.ts';
export { SeededRandom } from './seeded-random.ts';
export { type ServerCommand, ServerProcess } from './server-process.ts';
export { type CertificateOptions, type IssuedCertificate, TestAuthority } from './test-authority.ts';
export { valkeyServerPath } from './valkey.ts';
export { WebSocketClient, webSocketOpcode } from './web-socket-client.ts';
export { WireClient } from './wire-client.ts';
