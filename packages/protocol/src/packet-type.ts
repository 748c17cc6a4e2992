/** The control packet types, as in the upper four bits of a packet's first byte (MQTT 5.0, table 2-1). */
export const PacketType = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  unsuback: 11,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
  auth: 15,
} as const;

export type PacketName = keyof typeof PacketType;

/** The four packets that acknowledge a PUBLISH and share one shape. */
export type AckType = 4 | 5 | 6 | 7;

/** Packet names by type; index 0 is the forbidden type. */
export const packetNames: readonly string[] = ['reserved', ...Object.keys(PacketType)];
