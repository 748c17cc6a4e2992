import { z } from 'zod';

/** Keys under `audit`. */
export const auditShape = {
  file: z.string().default('').meta({
    description:
      'Where the audit log goes, one JSON object a line (docs/audit.md): who signed in, was refused, banned or taken over, and what was changed, by whom and from where. At SIGHUP the file is opened anew, for logrotate.',
    allowed: 'a path; `stdout` or `stderr`, where a container collects what is written',
    defaultText: 'none: there is no audit log',
  }),
};
