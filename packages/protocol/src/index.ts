export {
  copyBytes,
  emptyBuffer,
  stringBytesMax,
  variableByteIntegerMax,
  variableByteIntegerSize,
  writeFourByteInteger,
  writeTwoByteInteger,
  writeVariableByteInteger,
} from './bytes.ts';
export { CodedError, codeOf, type ErrorTable, type ErrorText } from './coded-error.ts';
export { Decoder, type PacketSink } from './decoder.ts';
export { encodePacket, encodeWithin } from './encoder.ts';
export { checkHeader } from './fixed-header.ts';
export { fnvBasis, fnvOfBytes, fnvOfText, mixedHash } from './fnv.ts';
export { type AckType, type PacketName, PacketType, packetNames } from './packet-type.ts';
export { type AckPacket, decodeAck, encodeAck, readPacketId, shortAckBytes, writeAck } from './packets/ack.ts';
export { type AuthPacket, decodeAuth, encodeAuth } from './packets/auth.ts';
export {
  type ConnackPacket,
  connackReturnCode,
  connackReturnCodes,
  decodeConnack,
  encodeConnack,
} from './packets/connack.ts';
export { type ConnectPacket, decodeConnect, encodeConnect, peekConnectVersion, type Will } from './packets/connect.ts';
export { type DisconnectPacket, decodeDisconnect, encodeDisconnect } from './packets/disconnect.ts';
export { decodePacket, type Packet } from './packets/packet.ts';
export { decodePingreq, pingreq } from './packets/pingreq.ts';
export { decodePingresp, pingresp } from './packets/pingresp.ts';
export { decodePuback, encodePuback } from './packets/puback.ts';
export { decodePubcomp, encodePubcomp } from './packets/pubcomp.ts';
export {
  decodePublish,
  decodePublishProperties,
  encodePublish,
  type PublishPacket,
  PublishProperties,
  PublishView,
  readPublish,
  validateTopicName,
} from './packets/publish.ts';
export { decodePubrec, encodePubrec } from './packets/pubrec.ts';
export { decodePubrel, encodePubrel } from './packets/pubrel.ts';
export { decodeSuback, encodeSuback, type SubackPacket } from './packets/suback.ts';
export {
  decodeSubscribe,
  encodeSubscribe,
  type SubscribePacket,
  type SubscriptionRequest,
} from './packets/subscribe.ts';
export { decodeUnsuback, encodeUnsuback, type UnsubackPacket } from './packets/unsuback.ts';
export { decodeFilters, decodeUnsubscribe, encodeUnsubscribe, type UnsubscribePacket } from './packets/unsubscribe.ts';
export {
  decodeProperties,
  type Properties,
  type PropertyEntry,
  type PropertyHolder,
  type PropertyType,
  propertiesSize,
  propertyTable,
} from './properties.ts';
export { ProtocolError } from './protocol-error.ts';
export { quote, quotedCharactersMax } from './quote.ts';
export { isReasonCodeOf, ReasonCode, type ReasonCodeEntry, reasonCodeName, reasonCodes } from './reason-codes.ts';
export {
  isShared,
  matchedFilter,
  parseShare,
  topicLevelsMax,
  topicMatchesFilter,
  validateTopic,
  validateTopicFilter,
} from './topic.ts';
export { isUtf8 } from './utf8.ts';
export { type ProtocolVersion, protocolVersions } from './version.ts';
