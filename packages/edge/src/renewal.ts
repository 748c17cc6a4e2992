import type { AccessTexts } from '@dunlin/auth';
import { auditEvents } from '@dunlin/broker/ports';
import type { Configuration } from '@dunlin/config';
import type { NodeLogger } from '@dunlin/telemetry';
import type { NodeAudit } from './audit/node-audit.ts';
import { Certificates } from './certificates.ts';
import { changedKeys } from './changed-keys.ts';
import { readAccess } from './compose.ts';
import { FileWatch } from './file-watch.ts';
import type { TlsMaterial } from './listeners/tls-material.ts';
import { events } from './log-events.ts';

/** Cause of a change, for the audit log. */
export type ChangedBy = 'SIGHUP' | 'file';

/** Configuration key of each text. */
const accessKeys: Readonly<Record<keyof AccessTexts, string>> = {
  passwords: 'authentication.passwordFile',
  rules: 'authorization.rulesFile',
  jwtKeys: 'jwt.keyFile',
  jwtSecret: 'jwt.secretFile',
  httpHeaders: 'httpAuth.headersFile',
  httpAuthorities: 'httpAuth.tlsCaFile',
};

/** Workers, as far as they are told of changes. */
interface Workers {
  renewTls(listener: number, material: TlsMaterial): void;
  replaceAccess(texts: AccessTexts): void;
  setLog(log: Configuration['log']): void;
}

export interface RenewalParts {
  configuration: Configuration;
  logger: NodeLogger;
  workers: () => Workers;
  audit: () => NodeAudit | null;
  /** Texts that were read already; null: they are read at the start. */
  accessTexts: AccessTexts | null;
}

/** Parts of a node that change while it runs: the configuration at SIGHUP; certificates, users and rules also when their files change. What is broken changes nothing. */
export class Renewal {
  readonly certificates: Certificates;
  readonly #parts: RenewalParts;
  readonly #certificateWatch: FileWatch;
  readonly #accessWatch: FileWatch;
  /** Configuration that was read last: it names the files of certificates. */
  #latest: Configuration;
  /** Texts of the files with users and rules: the last good ones. */
  #accessTexts: AccessTexts | null;

  constructor(parts: RenewalParts) {
    const { configuration, logger, workers } = parts;
    this.#parts = parts;
    this.#latest = configuration;
    this.#accessTexts = parts.accessTexts;
    this.certificates = new Certificates(configuration.listeners, logger, (listener, material) =>
      workers().renewTls(listener, material),
    );
    this.#certificateWatch = new FileWatch(
      () => certificateFiles(this.#latest),
      () => void this.#reloadCertificates('file'),
    );
    this.#accessWatch = new FileWatch(
      () => accessFiles(configuration),
      () => void this.#accessChanged(),
    );
  }

  get accessTexts(): AccessTexts | null {
    return this.#accessTexts;
  }

  /**
   * Reads all files, and looks after them from now on.
   * @throws AccessFileError or CertificateFileError
   */
  async open(): Promise<void> {
    // Before they are read: what changes meanwhile is read again.
    await Promise.all([this.#certificateWatch.begin(), this.#accessWatch.begin()]);
    this.#accessTexts ??= await readAccess(this.#parts.configuration);
    this.certificates.open();
  }

  close(): void {
    this.certificates.close();
    this.#certificateWatch.close();
    this.#accessWatch.close();
  }

  /**
   * Takes over what may change while the node runs.
   * @returns the keys that changed and need a new start
   */
  reload(next: Configuration): string[] {
    const { configuration, logger, workers, audit } = this.#parts;
    const changed = changedKeys(configuration, next);
    const { log } = configuration;
    Object.assign(log, { level: next.log.level, connections: next.log.connections });
    logger.setLevel(log.level);
    workers().setLog(log);
    Object.assign(configuration.drain, next.drain);
    this.#latest = next;
    const isWhole = this.#reloadCertificates('SIGHUP');
    const applied = changed.filter((key) => key.reloads).map((key) => key.path);
    const needStart = changed.filter((key) => !key.reloads).map((key) => key.path);
    audit()?.reopen();
    audit()?.record(auditEvents['configuration.changed'], { by: 'SIGHUP', keys: applied, needStart });
    void this.#tellReload(applied, isWhole);
    if (needStart.length > 0) logger.warn(events['configuration.start-needed'], { keys: needStart });
    return needStart;
  }

  #reloadCertificates(by: ChangedBy): boolean {
    if (by === 'SIGHUP') void this.#certificateWatch.taken();
    const { isWhole, renewed } = this.certificates.reload(this.#latest);
    for (const { listener, certificates } of renewed)
      this.#parts.audit()?.record(auditEvents['certificates.changed'], { by, listener, certificates });
    return isWhole;
  }

  /** Logs in one line whether all is well. Broken certificates were logged already. */
  async #tellReload(changed: string[], isWhole: boolean): Promise<void> {
    const { logger } = this.#parts;
    void this.#accessWatch.taken();
    const fault = await this.#reloadAccess('SIGHUP');
    if (fault !== null) logger.error(events['access.reload-failed'], { error: fault, changed });
    else if (!isWhole) logger.warn(events['configuration.reload-incomplete'], { changed });
    else logger.info(events['configuration.reloaded'], { changed });
  }

  async #accessChanged(): Promise<void> {
    const fault = await this.#reloadAccess('file');
    if (fault !== null) this.#parts.logger.error(events['access.reload-failed'], { error: fault, changed: [] });
  }

  /**
   * Passwords, keys and rules are read again, from the same files. What is broken is not taken over, not even the rest of it.
   * @returns what is wrong; null: nothing
   */
  async #reloadAccess(by: ChangedBy): Promise<string | null> {
    const { configuration, workers, logger, audit } = this.#parts;
    const before = this.#accessTexts;
    if (before === null) return null;
    try {
      const texts = await readAccess(configuration);
      if (texts === null) return null;
      const files = changedTexts(before, texts);
      // At SIGHUP also what looks the same: an operator asked for it.
      if (by === 'file' && files.length === 0) return null;
      this.#accessTexts = texts;
      workers().replaceAccess(texts);
      logger.info(events['access.reloaded']);
      if (files.length > 0) audit()?.record(auditEvents['access.changed'], { by, files, ...rulesDigest(texts) });
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  }
}

function certificateFiles({ listeners }: Configuration): string[] {
  const files = listeners.flatMap(({ tls }) =>
    tls === null ? [] : [...tls.certificates.flatMap(({ cert, key }) => [cert, key]), tls.clientCa, tls.clientCrl],
  );
  return [...new Set(files.filter((file) => file !== ''))];
}

function accessFiles({ authentication, authorization, jwt, httpAuth }: Configuration): string[] {
  const files = [authentication.passwordFile, authorization.rulesFile, jwt.keyFile, jwt.secretFile];
  return [...files, httpAuth.headersFile, httpAuth.tlsCaFile].filter((file) => file !== '');
}

function changedTexts(before: AccessTexts, after: AccessTexts): string[] {
  const names = Object.keys(accessKeys) as (keyof AccessTexts)[];
  return names.filter((name) => contentOf(before[name]) !== contentOf(after[name])).map((name) => accessKeys[name]);
}

/** Text that tells one content from another. */
function contentOf(text: AccessTexts[keyof AccessTexts]): string | undefined {
  return text === null ? undefined : 'text' in text ? text.text : text.sha256;
}

/** Rules hold no secret: their digest says which were in force. */
function rulesDigest({ rules }: AccessTexts): { rulesSha256?: string } {
  return rules === null ? {} : { rulesSha256: rules.sha256 };
}
