export interface SearchInput {
  name: string;
  label: string;
  hint?: string;
  value?: string;
}

/** A form of texts that a list is narrowed by. */
export function Search({
  inputs,
  then,
  title = 'Search',
}: {
  inputs: readonly SearchInput[];
  then: (query: Record<string, string>) => void;
  title?: string;
}) {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    then(Object.fromEntries(inputs.map(({ name }) => [name, `${form.get(name) ?? ''}`])));
  };
  return (
    <search>
      <form class="inputs" onSubmit={submit}>
        {inputs.map(({ name, label, hint, value }) => (
          <label key={name}>
            {label}
            <input name={name} placeholder={hint} defaultValue={value} autocomplete="off" spellcheck={false} />
          </label>
        ))}
        <button type="submit">{title}</button>
      </form>
    </search>
  );
}
