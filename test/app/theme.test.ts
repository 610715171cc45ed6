// @vitest-environment happy-dom
import { afterEach, expect, test } from 'vitest';
import { applyStoredTheme, theme } from '../../src/app/theme.svelte.ts';

const root = document.documentElement;

afterEach(() => {
  localStorage.clear();
  theme.set('system');
});

test('the switch goes round system, light and dark, and marks the page for all but the first', () => {
  expect(root.dataset['theme']).toBeUndefined();
  const seen = [1, 2, 3].map(() => {
    theme.next();
    return [theme.current, root.dataset['theme']];
  });
  expect(seen).toEqual([
    ['light', 'light'],
    ['dark', 'dark'],
    ['system', undefined],
  ]);
});

test('the choice holds for the next visit', () => {
  theme.set('dark');
  delete root.dataset['theme'];
  applyStoredTheme();
  expect(root.dataset['theme']).toBe('dark');
});

test('what nobody could have chosen is as the system has it', () => {
  localStorage.setItem('twostep-theme', 'purple');
  applyStoredTheme();
  expect(root.dataset['theme']).toBeUndefined();
});
