import { useRef, useState } from 'preact/hooks';

/** Button for what cannot be taken back: it asks in a dialog, and says what came of it. */
export function Deed({
  title,
  question,
  act,
  children,
}: {
  title: string;
  question: string;
  /** Does it, and resolves with what came of it. */
  act: (form: FormData) => Promise<string>;
  /** Inputs of the dialog. */
  children?: preact.ComponentChildren;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [outcome, setOutcome] = useState<{ words: string; isFault: boolean } | null>(null);
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      const words = await act(new FormData(event.currentTarget as HTMLFormElement));
      setOutcome({ words, isFault: false });
      dialog.current?.close();
    } catch (error) {
      setOutcome({ words: (error as Error).message, isFault: true });
    }
    setBusy(false);
  };
  const show = () => {
    setOutcome(null);
    dialog.current?.showModal();
  };
  return (
    <span class="deed">
      <button type="button" class="danger" onClick={show}>
        {title}
      </button>
      <dialog ref={dialog} aria-label={title}>
        <form onSubmit={(event) => void submit(event)}>
          <h2>{title}</h2>
          <p>{question}</p>
          {children}
          <p class="fault" role="alert">
            {outcome?.isFault ? outcome.words : ''}
          </p>
          <div class="buttons">
            <button type="button" onClick={() => dialog.current?.close()}>
              Cancel
            </button>
            <button type="submit" class="main" disabled={isBusy}>
              {title}
            </button>
          </div>
        </form>
      </dialog>
      <span role="status" class="small">
        {outcome !== null && !outcome.isFault ? outcome.words : ''}
      </span>
    </span>
  );
}
