import { useState } from 'preact/hooks';
import { ask, forgetKey, storeKey } from './api.ts';

export function SignIn({ reason, then }: { reason: string; then: () => void }) {
  const [fault, setFault] = useState(reason);
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const key = new FormData(event.currentTarget as HTMLFormElement).get('key');
    setBusy(true);
    storeKey(`${key}`.trim());
    try {
      await ask('/overview');
      then();
    } catch (error) {
      forgetKey();
      setFault(`${(error as Error).message}`);
      setBusy(false);
    }
  };
  return (
    <main class="sign-in">
      <h1>Dunlin</h1>
      <form onSubmit={(event) => void submit(event)}>
        <label for="key">Key of the administration API</label>
        <input
          id="key"
          name="key"
          type="password"
          required
          autocomplete="off"
          spellcheck={false}
          aria-describedby="hint"
        />
        <p id="hint">
          The first one is in <code>admin.key</code> of the data directory; <code>dunlin keys add</code> makes more.
          This tab forgets it when it is closed.
        </p>
        <p class="fault" role="alert">
          {fault}
        </p>
        <button type="submit" class="main" disabled={isBusy}>
          Sign in
        </button>
      </form>
    </main>
  );
}
