/** No text of the catalogue reaches the page with an option of the command line in it. */
import { pageError, pageText } from '#app/screens/Provision/page-words.ts';
import { DeviceError } from '#device/device-error.ts';
import { DEVICE_MESSAGES } from '#messages/device-messages.ts';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const source = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../src/messages/${name}`, import.meta.url)), 'utf8');

/** Texts in the source of the catalogue: those of the plan are made by functions. */
const texts = ['plan-messages.ts', 'error-message.ts', 'device-messages.ts'].flatMap((name) => [
  ...source(name).matchAll(/'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`|"((?:[^"\\\n]|\\.)*)"/g),
]);

test('every option that the catalogue names has words for the page', () => {
  const withOptions = texts
    .map((match) => match[1] ?? match[2] ?? match[3] ?? '')
    .filter((text) => text.includes('--'));
  expect(withOptions.length).toBeGreaterThan(5);
  for (const text of withOptions) expect(pageText(text), text).not.toMatch(/--[a-z]/);
});

test('the lines of the console are a log of their own on the page', () => {
  const told = texts
    .map((match) => match[1] ?? match[2] ?? match[3] ?? '')
    .filter((text) => text.includes('console lines'));
  expect(told.length).toBeGreaterThan(2);
  for (const text of told) expect(pageText(text)).toMatch(/boot log below(?! say )/);
});

test.each(Object.keys(DEVICE_MESSAGES) as (keyof typeof DEVICE_MESSAGES)[])(
  '%s is said without command lines',
  (code) => {
    const { what, state = '', todo = '', code: shown } = pageError(new DeviceError(code, code));
    expect(`${what} ${state} ${todo}`).not.toMatch(/--[a-z]|same command|README|identify:/);
    expect(shown).toBe(code);
  },
);
