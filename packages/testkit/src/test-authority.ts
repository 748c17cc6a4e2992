import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Files of a certificate and its key, PEM. */
export interface IssuedCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** `DNS:a.example`, `IP:127.0.0.1` …; the latter and `DNS:localhost` by default. */
  readonly subjectAltNames?: readonly string[];
  readonly keyType?: 'ec' | 'rsa';
  /** Days of validity; 1 unless given. */
  readonly days?: number;
}

const keyOptions = { ec: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], rsa: ['rsa:2048'] } as const;

/** A certificate authority of a test, made by openssl; what it issues is valid for a day unless said. */
export class TestAuthority {
  /** Its own certificate, PEM: what clients and servers are told to trust. */
  readonly ca: string;
  readonly directory: string;
  #issued = 0;

  private constructor(directory: string) {
    this.directory = directory;
    this.ca = join(directory, 'ca.pem');
  }

  static async make(name = 'test authority'): Promise<TestAuthority> {
    const authority = new TestAuthority(await mkdtemp(join(tmpdir(), 'authority-')));
    await authority.#request(authority.ca, join(authority.directory, 'ca.key'), name, 'ec', ['-days', '1']);
    return authority;
  }

  /** An authority whose own certificate is of this one: what stands between a server's certificate and the one that is trusted. */
  async intermediate(name: string): Promise<TestAuthority> {
    const authority = new TestAuthority(await mkdtemp(join(tmpdir(), 'authority-')));
    const more = ['-CA', this.ca, '-CAkey', join(this.directory, 'ca.key'), '-days', '1'];
    await this.#request(authority.ca, join(authority.directory, 'ca.key'), name, 'ec', more);
    return authority;
  }

  /** A list of withdrawn certificates, valid for a day; its path. */
  async crl(withdrawn: readonly IssuedCertificate[]): Promise<string> {
    const file = (name: string): string => join(this.directory, name);
    this.#issued += 1;
    const list = file(`${this.#issued}.crl`);
    const key = file('ca.key');
    await writeFile(
      file('crl.cnf'),
      `[ca]\ndefault_ca=a\n[a]\ndatabase=${file('index.txt')}\ndefault_md=sha256\ndefault_crl_days=1\n`,
    );
    await writeFile(file('index.txt'), '');
    const common = ['ca', '-config', file('crl.cnf'), '-keyfile', key, '-cert', this.ca];
    for (const { cert } of withdrawn) await run('openssl', [...common, '-revoke', cert]);
    await run('openssl', [...common, '-gencrl', '-out', list]);
    return list;
  }

  /** A certificate for servers and clients alike. */
  async issue(commonName: string, options: CertificateOptions = {}): Promise<IssuedCertificate> {
    const { subjectAltNames = ['DNS:localhost', 'IP:127.0.0.1'], keyType = 'ec', days = 1 } = options;
    this.#issued += 1;
    const [cert, key] = ['pem', 'key'].map((ending) => join(this.directory, `${this.#issued}.${ending}`));
    const signed = ['-CA', this.ca, '-CAkey', join(this.directory, 'ca.key')];
    const names = subjectAltNames.length === 0 ? [] : ['-addext', `subjectAltName=${subjectAltNames.join(',')}`];
    const more = [...signed, ...names, '-addext', 'basicConstraints=CA:FALSE', '-days', String(days)];
    await this.#request(cert, key, commonName, keyType, more);
    return { cert, key };
  }

  async #request(
    cert: string,
    key: string,
    name: string,
    keyType: 'ec' | 'rsa',
    more: readonly string[],
  ): Promise<void> {
    const made = ['req', '-x509', '-newkey', ...keyOptions[keyType], '-nodes'];
    await run('openssl', [...made, '-keyout', key, '-out', cert, '-subj', `/CN=${name}`, ...more]);
  }

  remove(): Promise<void> {
    return rm(this.directory, { recursive: true, force: true });
  }
}
