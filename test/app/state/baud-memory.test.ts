// @vitest-environment happy-dom
import { expect, test, vi } from 'vitest';
import { browserBauds } from '../../../src/app/ports/baud-memory.ts';

test('rates are kept in the browser', () => {
  expect(browserBauds.recall('a')).toBeUndefined();
  browserBauds.note('a', 460_800);
  expect(browserBauds.recall('a')).toBe(460_800);
  localStorage.setItem('twostep.baud.a', 'fast');
  expect(browserBauds.recall('a')).toBeUndefined();
});

test('a browser that blocks storage remembers nothing, and does not mind', () => {
  const blocked = vi.spyOn(globalThis, 'localStorage', 'get').mockImplementation(() => {
    throw new DOMException('The operation is insecure.', 'SecurityError');
  });
  browserBauds.note('b', 460_800);
  expect(browserBauds.recall('b')).toBeUndefined();
  blocked.mockRestore();
});
