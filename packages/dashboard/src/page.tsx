import { useEffect, useRef, useState } from 'preact/hooks';
import { ask, forgetKey, onSignedOut, storedKey } from './api.ts';
import { linkTo, useRoute } from './route.ts';
import { SignIn } from './sign-in.tsx';
import { applyTheme, nextTheme, storedTheme } from './theme.ts';
import { type View, views } from './views.ts';

interface Description {
  paths: Record<string, object>;
}

export function Page() {
  const [isSignedIn, setSignedIn] = useState(storedKey() !== null);
  const [reason, setReason] = useState('');
  useEffect(
    () =>
      onSignedOut(() => {
        setReason('The node does not take this key any more.');
        setSignedIn(false);
      }),
    [],
  );
  if (!isSignedIn) return <SignIn reason={reason} then={() => setSignedIn(true)} />;
  return (
    <SignedIn
      leave={() => {
        forgetKey();
        setReason('');
        setSignedIn(false);
      }}
    />
  );
}

/** Views whose endpoints the node has; null: not known yet. */
function useViews(): readonly View[] | null {
  const [known, setKnown] = useState<readonly View[] | null>(null);
  useEffect(() => {
    const choose = ({ paths }: Description) => setKnown(views.filter(({ needs }) => `/api/v1${needs}` in paths));
    // A node that cannot say has the oldest ones.
    ask<Description>('/openapi.json').then(choose, () =>
      setKnown(views.filter(({ path }) => ['overview', 'clients', 'nodes'].includes(path))),
    );
  }, []);
  return known;
}

function SignedIn({ leave }: { leave: () => void }) {
  const { view: wanted, name } = useRoute();
  const known = useViews();
  const [isMenuOpen, setMenuOpen] = useState(false);
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  const view = known?.find(({ path }) => path === wanted) ?? known?.[0];
  useEffect(() => {
    setMenuOpen(false);
    document.title = `${name ?? view?.title ?? 'Overview'} · Dunlin`;
    if (!isFirst.current) main.current?.focus();
    if (view !== undefined) isFirst.current = false;
  }, [view, name]);
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <header class="top">
        <a class="brand" href={linkTo('overview')}>
          Dunlin
        </a>
        <button
          type="button"
          class="menu"
          aria-expanded={isMenuOpen}
          aria-controls="views"
          onClick={() => setMenuOpen(!isMenuOpen)}
        >
          Menu
        </button>
        <span class="space" />
        <ThemeSwitch />
        <button type="button" onClick={leave}>
          Sign out
        </button>
      </header>
      <nav id="views" aria-label="Views" class={isMenuOpen ? 'open' : ''}>
        {(known ?? []).map(({ path, title }) => (
          <a
            key={path}
            href={linkTo(path)}
            aria-current={view?.path === path ? 'page' : undefined}
            onClick={() => setMenuOpen(false)}
          >
            {title}
          </a>
        ))}
      </nav>
      <main id="content" tabIndex={-1} ref={main}>
        {view === undefined ? <p role="status">Loading …</p> : <view.show key={`${view.path}/${name}`} name={name} />}
      </main>
    </>
  );
}

function ThemeSwitch() {
  const [theme, setTheme] = useState(storedTheme());
  const turn = () => {
    const next = nextTheme(theme);
    applyTheme(next);
    setTheme(next);
  };
  return (
    <button type="button" onClick={turn} aria-label={`Colours: ${theme}. Change.`}>
      {{ system: '◐ System', light: '☀ Light', dark: '☾ Dark' }[theme]}
    </button>
  );
}
