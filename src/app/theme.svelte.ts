/** Light, dark, or as the system has it; kept for the next visit. */

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'twostep-theme';
const ORDER: readonly Theme[] = ['system', 'light', 'dark'];

class ThemeChoice {
  current = $state<Theme>(stored());

  /** Goes to the next of system, light, dark. */
  next(): void {
    this.set(this.following);
  }

  get following(): Theme {
    return ORDER[(ORDER.indexOf(this.current) + 1) % ORDER.length] ?? 'system';
  }

  set(theme: Theme): void {
    this.current = theme;
    apply(theme);
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Storage is closed to this page (private window, policy): the choice then holds until it is closed.
    }
  }
}

/** Sets what was chosen before; called before the first thing is drawn. */
export const applyStoredTheme = (): void => apply(stored());

function stored(): Theme {
  try {
    const text = localStorage.getItem(KEY);
    return ORDER.find((theme) => theme === text) ?? 'system';
  } catch {
    // As above: nothing could be kept.
    return 'system';
  }
}

function apply(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
}

export const theme = new ThemeChoice();
