// A table: what libraries are known to do otherwise than the story says, seen on the wire. docs/clients.md has more of it.
import type { ProtocolLevel } from './line-protocol.ts';
import type { StepName } from './steps.ts';

/** A step that a library does not get through, for a reason of its own. Where it does get through, the result says `ok`. */
export interface KnownFault {
  /** The name of the driver. */
  readonly driver: string;
  readonly step: StepName;
  /** Version of the protocol; both unless given. */
  readonly level?: ProtocolLevel;
  readonly reason: string;
}

const amqttGivesUp = 'a publish whose connection is lost ends with an AttributeError, and is not sent again';
const rumqttcForgets =
  'forgets what it was receiving when a connection is lost; PUBREL for it ends the next connection, and every one after it';

export const knownFaults: readonly KnownFault[] = [
  ...(['puback', 'pubrec', 'pubcomp'] as const).map((step) => ({ driver: 'amqtt', step, reason: amqttGivesUp })),
  ...['rumqttc', 'rumqttc5'].map((driver) => ({ driver, step: 'pubrel' as const, reason: rumqttcForgets })),
  {
    driver: 'paho-go',
    step: 'pubcomp',
    reason:
      'PUBREC is not kept: after a lost connection it sends PUBLISH again in place of PUBREL, and the message comes twice',
  },
  {
    driver: 'mqtt.js',
    step: 'pubcomp',
    level: 5,
    reason:
      'PUBCOMP with 0x92, no error while a connection is resumed, is given to the program as a failed publish; the message has arrived once',
  },
];

export function knownFault(driver: string, level: ProtocolLevel, step: StepName): string | null {
  const isIt = (fault: KnownFault) =>
    fault.driver === driver && fault.step === step && (fault.level === undefined || fault.level === level);
  return knownFaults.find(isIt)?.reason ?? null;
}
