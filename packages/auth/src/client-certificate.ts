/** A certificate that the listener has verified: its name is the client's. */
import type { Credentials } from '@dunlin/broker';
import { type Decision, type Method, notMine } from './method.ts';

export type CertificateName = 'common-name' | 'alternative-name';

export class ClientCertificateName implements Method {
  readonly name = 'client-certificate';
  readonly #from: CertificateName;

  constructor(from: CertificateName) {
    this.#from = from;
  }

  authenticate({ clientCertificate }: Credentials): Decision {
    if (clientCertificate === null) return notMine;
    const { commonName, subjectAltNames } = clientCertificate;
    // The first alternative name, without its kind: `DNS:gauge-7`.
    const name = this.#from === 'common-name' ? commonName : (subjectAltNames[0] ?? '').replace(/^[A-Za-z ]+:/, '');
    return name === '' ? notMine : { kind: 'accept', userName: name };
  }
}
