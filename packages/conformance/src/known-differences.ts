/** Difference between a broker and some conversations, known and explained. */
export interface KnownDifference {
  /** Behaviour of the broker instead. */
  readonly does: string;
  /** The titles of the tests that show it, as `conversation` makes them. */
  readonly titles: readonly string[];
}

/** Mosquitto 2.0.11, as Debian 12 has it. */
const mosquitto: readonly KnownDifference[] = [
  {
    does: 'takes the packet and ignores its flags',
    titles: [
      'MQTT 3.1.1: reserved flags in PUBACK close the connection [MQTT-2.2.2-1] [MQTT-2.2.2-2]',
      'MQTT 5.0: reserved flags in PUBACK close the connection [MQTT-2.1.3-1]',
      'MQTT 3.1.1: reserved flags in PUBREC close the connection [MQTT-2.2.2-1] [MQTT-2.2.2-2]',
      'MQTT 5.0: reserved flags in PUBREC close the connection [MQTT-2.1.3-1]',
      'MQTT 3.1.1: reserved flags in PUBCOMP close the connection [MQTT-2.2.2-1] [MQTT-2.2.2-2]',
      'MQTT 5.0: reserved flags in PUBCOMP close the connection [MQTT-2.1.3-1]',
      'MQTT 3.1.1: reserved flags in PINGREQ close the connection [MQTT-2.2.2-1] [MQTT-2.2.2-2]',
      'MQTT 5.0: reserved flags in PINGREQ close the connection [MQTT-2.1.3-1]',
    ],
  },
  {
    does: 'takes the packet and goes on',
    titles: [
      'MQTT 3.1.1: SUBACK from a client closes the connection [MQTT-4.8.0-1]',
      'MQTT 3.1.1: UNSUBACK from a client closes the connection [MQTT-4.8.0-1]',
      'MQTT 3.1.1: PINGRESP from a client closes the connection [MQTT-4.8.0-1]',
      'MQTT 5.0: PINGRESP from a client closes the connection [MQTT-4.13.1-1]',
    ],
  },
  {
    does: 'ignores the data and accepts the connection',
    titles: ['MQTT 5.0: authentication data without a method is refused [MQTT-3.1.4-1]'],
  },
  {
    does: 'waits for the whole will delay',
    titles: ['MQTT 5.0: the end of the session ends the will delay [MQTT-3.1.2-8]'],
  },
  {
    does: 'answers with PINGRESP',
    titles: [
      'MQTT 3.1.1: PINGREQ with a body closes the connection [MQTT-4.8.0-1]',
      'MQTT 5.0: PINGREQ with a body closes the connection [MQTT-4.13.1-1]',
    ],
  },
  {
    does: 'delivers the message',
    titles: [
      'MQTT 3.1.1: QoS 0 with DUP 1 closes the connection [MQTT-3.3.1-2]',
      'MQTT 5.0: QoS 0 with DUP 1 closes the connection [MQTT-3.3.1-2]',
    ],
  },
  {
    does: 'passes the response topic on as it is',
    titles: [
      'MQTT 5.0: the wildcard # in the response topic closes the connection [MQTT-3.3.2-14]',
      'MQTT 5.0: the wildcard + in the response topic closes the connection [MQTT-3.3.2-14]',
    ],
  },
  {
    does: 'sends one copy, with the QoS of the subscription that it finds first',
    titles: ['MQTT 3.1.1: overlapping subscriptions deliver at the highest QoS among them [MQTT-3.3.5-1]'],
  },
  {
    does: 'ignores the identifier and delivers the message',
    titles: ['MQTT 5.0: a PUBLISH with a subscription identifier closes the connection [MQTT-3.3.4-6]'],
  },
  {
    does: 'leaves the dropped message in flight, so that its place is never free again',
    titles: ['MQTT 5.0: a message too large for the client takes no place in its receive maximum [MQTT-3.1.2-25]'],
  },
  {
    does: 'measures without the first byte, so that a packet one byte too large is sent',
    titles: ['MQTT 5.0: a message as large as the client takes is delivered, one byte more is not [MQTT-3.1.2-24]'],
  },
  {
    does: 'takes the PUBACK whatever its code',
    titles: [
      'MQTT 5.0: a PUBACK with a reason code that does not exist closes the connection [MQTT-3.4.2-1] [MQTT-4.13.1-1]',
    ],
  },
  {
    does: 'grants the subscription',
    titles: [
      'MQTT 5.0: no local on a shared subscription closes the connection [MQTT-3.8.3-4]',
      'MQTT 5.0: the shared filter $share//a is refused [MQTT-4.8.2-1] [MQTT-4.8.2-2]',
      'MQTT 5.0: the shared filter $share/+/a is refused [MQTT-4.8.2-2]',
      'MQTT 5.0: the shared filter $share/g/ is refused [MQTT-4.8.2-1] [MQTT-4.8.2-2]',
    ],
  },
  {
    does: 'drops the message when it expires between two connections',
    titles: ['MQTT 5.0: a message that was sent does not expire any more [MQTT-4.3.3-7]'],
  },
  {
    does: 'takes it for a plain filter',
    titles: ['MQTT 5.0: the shared filter $share/g is refused [MQTT-4.8.2-1] [MQTT-4.8.2-2]'],
  },
  {
    does: 'sends retained messages',
    titles: ['MQTT 5.0: a shared subscription gets no retained messages'],
  },
  {
    does: 'ignores that the frame is text',
    titles: [
      'MQTT 3.1.1: packets come and go in binary frames, and a text frame closes the connection [MQTT-6.0.0-1]',
      'MQTT 5.0: packets come and go in binary frames, and a text frame closes the connection [MQTT-6.0.0-1]',
    ],
  },
  {
    does: 'waits for much longer',
    titles: [
      'MQTT 3.1.1: a connection without CONNECT is closed within ten seconds [MQTT-3.1.0-1]',
      'MQTT 5.0: a connection without CONNECT is closed within ten seconds [MQTT-3.1.0-1]',
    ],
  },
  {
    does: 'frees the place when PUBREC arrives',
    titles: [
      'MQTT 5.0: a QoS 2 message keeps its place in the receive maximum until PUBCOMP [MQTT-3.3.4-9] [MQTT-4.9.0-2]',
    ],
  },
];

/**
 * Tests that are expected to fail, by broker. A difference that is gone makes its test fail, so that the row is removed.
 */
export const knownDifferences: Readonly<Record<string, readonly KnownDifference[]>> = { mosquitto };

/** The row for this test and broker, if there is one. */
export function knownDifference(broker: string, title: string): KnownDifference | undefined {
  return knownDifferences[broker]?.find((difference) => difference.titles.includes(title));
}
