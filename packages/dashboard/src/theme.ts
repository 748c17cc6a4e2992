const place = 'dunlin.theme';
const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

export const storedTheme = (): Theme => themes.find((theme) => theme === localStorage.getItem(place)) ?? 'system';

export function applyTheme(theme: Theme): void {
  localStorage.setItem(place, theme);
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export const nextTheme = (theme: Theme): Theme => themes[(themes.indexOf(theme) + 1) % themes.length];
