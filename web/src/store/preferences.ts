/** What this browser remembers of how the page is to look. */
import { create } from 'zustand';
import { persist } from 'zustand/middleware';

export type Theme = 'system' | 'light' | 'dark';

interface Preferences {
  theme: Theme;
  columns: string[];
  isNavigationOpen: boolean;
}

export const usePreferences = create<Preferences>()(
  persist((): Preferences => ({ theme: 'system', columns: ['state', 'cpu', 'memory', 'description', 'autostart'], isNavigationOpen: true }), {
    name: 'vmstead.preferences',
  }),
);

const dark = window.matchMedia('(prefers-color-scheme: dark)');

/** Show the page in the theme that is chosen, from now on. */
export function keepTheme(): void {
  const show = (): void => {
    const { theme } = usePreferences.getState();
    document.documentElement.classList.toggle('pf-v6-theme-dark', theme === 'dark' || (theme === 'system' && dark.matches));
  };
  usePreferences.subscribe(show);
  dark.addEventListener('change', show);
  show();
}
