/** The protocol level of CONNECT: 3 is MQTT 3.1 (`MQIsdp`), 4 is MQTT 3.1.1, 5 is MQTT 5.0. */
export type ProtocolVersion = 3 | 4 | 5;

/** The protocol levels this package speaks, oldest first. */
export const protocolVersions: readonly ProtocolVersion[] = [3, 4, 5];
