import { ask } from '../api.ts';
import { Deed } from '../parts/deed.tsx';
import { Notices } from '../parts/notices.tsx';
import { PlainTable } from '../parts/plain-table.tsx';
import { usePolled } from '../polling.ts';
import { moment } from '../words.ts';

interface Ban {
  clientId: string | null;
  userName: string | null;
  address: string | null;
  reason: string;
  by: string;
  createdAt: string;
  endsAt: string | null;
}

const names = [
  ['clientId', 'Client identifier'],
  ['userName', 'User name'],
  ['address', 'Address or range'],
] as const;

/** Names of a form; null stands for one that was left empty: any. */
const given = (form: FormData) =>
  Object.fromEntries(names.map(([name]) => [name, `${form.get(name) ?? ''}`.trim() || null]));

const whom = (ban: Ban): string =>
  names
    .filter(([name]) => ban[name] !== null)
    .map(([name, words]) => `${words.toLowerCase()} ${ban[name]}`)
    .join(', ');

export function BansView() {
  const { answer, fault, reload } = usePolled<{ bans: readonly Ban[] }>('/bans', 5000);
  const add = async (form: FormData): Promise<string> => {
    const minutes = Number(form.get('minutes'));
    const endsAt = minutes > 0 ? new Date(Date.now() + minutes * 60_000).toISOString() : null;
    await ask('/bans', { method: 'POST', body: { ...given(form), reason: `${form.get('reason') ?? ''}`, endsAt } });
    reload();
    return 'The ban holds.';
  };
  const lift = async ({ clientId, userName, address }: Ban): Promise<string> => {
    await ask('/bans', { method: 'DELETE', body: { clientId, userName, address } });
    reload();
    return 'The ban is lifted.';
  };
  return (
    <>
      <h1>Bans</h1>
      <Notices fault={fault} />
      <Deed title="Add a ban" question="Keeps out the clients that have all the names given." act={add}>
        {[...names, ['reason', 'Reason'] as const].map(([name, words]) => (
          <label key={name}>
            {words}
            <input name={name} />
          </label>
        ))}
        <label>
          Minutes; 0: until it is lifted
          <input name="minutes" type="number" min="0" defaultValue="60" required />
        </label>
      </Deed>
      <PlainTable
        label="Bans"
        rows={answer?.bans ?? []}
        empty={answer === null ? 'Loading …' : 'Nobody is banned.'}
        columns={[
          { title: 'Whom', show: whom },
          { title: 'Reason', show: ({ reason }) => reason },
          { title: 'Ends', show: ({ endsAt }) => moment(endsAt) },
          { title: 'By', show: ({ by }) => by, isWide: true },
          {
            title: 'Lift',
            show: (ban) => <Deed title="Lift" question={`Lets in again: ${whom(ban)}.`} act={() => lift(ban)} />,
          },
        ]}
      />
    </>
  );
}
