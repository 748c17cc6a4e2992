import { useEffect, useState } from 'preact/hooks';

/** View and thing that the address names: `#/clients/gauge-7`. */
export interface Route {
  view: string;
  name: string | null;
}

function routeOf(hash: string): Route {
  const [view, name] = hash.replace(/^#\//, '').split('/', 2);
  try {
    return { view: view === '' ? 'overview' : view, name: name === undefined ? null : decodeURIComponent(name) };
  } catch {
    return { view: 'overview', name: null };
  }
}

export const linkTo = (view: string, name?: string): string =>
  name === undefined ? `#/${view}` : `#/${view}/${encodeURIComponent(name)}`;

export function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  useEffect(() => {
    const follow = () => setRoute(routeOf(location.hash));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return route;
}
