/** Bans in the audit log. */
import type { Audit } from '../ports/audit.ts';
import { auditEvents } from '../ports/audit-events.ts';
import type { Ban } from '../ports/ban-store.ts';

export function recordBanAdded(audit: Audit, { clientId, userName, address, reason, by, endsAt }: Ban): void {
  const end = endsAt === Number.POSITIVE_INFINITY ? null : new Date(endsAt).toISOString();
  const fields = { client: clientId, user: userName, address, reason, by, endsAt: end };
  audit.record(auditEvents['ban.added'], fields);
}

/** Record of a ban that is gone from the store, which does not say who removed it. */
export function recordBanRemoved(audit: Audit, { clientId, userName, address }: Ban): void {
  audit.record(auditEvents['ban.removed'], { client: clientId, user: userName, address });
}
