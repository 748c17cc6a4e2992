// For docs/errors.md alone: nothing that runs imports it.
import type { ErrorTable } from './coded-error.ts';
import type { ProtocolError } from './protocol-error.ts';

export const errorTable = {
  ProtocolError: {
    'protocol-violation': {
      says: 'what the peer sent and, in brackets, the number of the statement of MQTT that it breaks: `… [MQTT-3.3.1-4]`',
      thrownWhen:
        'a peer sends bytes that break a rule of MQTT, or asks for what this broker or its configuration does not allow',
      remedy: 'Change the client. `reasonCode` and `statement` of the error say which rule it broke.',
      surfaces:
        'client: the reason code, in an acknowledgement or in DISCONNECT (MQTT 5), or a closed connection (MQTT 3). Log: the line has the reason code in `code`. `dunlin pub`, `sub`: exit code 1 where the broker sent such bytes',
    },
  },
} satisfies ErrorTable<{ ProtocolError: ProtocolError }>;
