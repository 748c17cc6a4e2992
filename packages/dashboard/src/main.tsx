import { render } from 'preact';
import { Page } from './page.tsx';
import './style.css';
import { applyTheme, storedTheme } from './theme.ts';

applyTheme(storedTheme());
render(<Page />, document.getElementById('page') as HTMLElement);
