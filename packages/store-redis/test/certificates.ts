import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** PEM files of an authority, and of a server and a client that it vouches for. */
export interface Certificates {
  readonly ca: string;
  readonly server: { readonly ca: string; readonly certificate: string; readonly key: string };
  readonly client: { readonly ca: string; readonly certificate: string; readonly key: string };
  remove(): Promise<void>;
}

/** Made by openssl for 127.0.0.1, valid for a day. */
export async function makeCertificates(): Promise<Certificates> {
  const directory = await mkdtemp(join(tmpdir(), 'certificates-'));
  const file = (name: string): string => join(directory, name);
  const ca = file('ca.pem');
  const newKey = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
  await run('openssl', [...newKey, '-keyout', file('ca.key'), '-out', ca, '-subj', '/CN=test authority']);
  const make = async (name: string) => {
    const [certificate, key] = [file(`${name}.pem`), file(`${name}.key`)];
    const signed = ['-CA', ca, '-CAkey', file('ca.key'), '-addext', 'subjectAltName=IP:127.0.0.1'];
    await run('openssl', [...newKey, ...signed, '-keyout', key, '-out', certificate, '-subj', `/CN=${name}`]);
    return { ca, certificate, key };
  };
  return {
    ca,
    server: await make('server'),
    client: await make('client'),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
