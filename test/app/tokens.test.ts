/** The colours of the page, computed: what is written on what can be read in both themes (WCAG 2.2, 1.4.3 and 1.4.11). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const CSS = readFileSync(new URL('../../src/app/tokens.css', import.meta.url), 'utf8');
const THEMES = ['light', 'dark'] as const;
type Theme = (typeof THEMES)[number];

const tokens = new Map(
  [...CSS.matchAll(/--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);/g)].map(([, name, light, dark]) => [
    name!,
    { light: light!, dark: dark! },
  ]),
);

type Colour = [number, number, number];

function colour(name: string, theme: Theme): Colour {
  const hex = tokens.get(name)?.[theme];
  if (hex === undefined) throw new Error(`No colour token --${name}`);
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)) as Colour;
}

/** As color-mix(in srgb, …) does it. */
const mix = (one: Colour, other: Colour, share: number): Colour =>
  one.map((value, index) => value * share + other[index]! * (1 - share)) as Colour;

/** WCAG relative luminance. */
function luminance(values: Colour): number {
  const [r, g, b] = values.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

function contrast(one: Colour, other: Colour): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light! + 0.05) / (dark! + 0.05);
}

test('the measure itself: black on white is 21, white on white 1, #767676 on white just passes', () => {
  expect(contrast([0, 0, 0], [255, 255, 255])).toBeCloseTo(21);
  expect(contrast([255, 255, 255], [255, 255, 255])).toBe(1);
  expect(contrast([0x76, 0x76, 0x76], [255, 255, 255])).toBeCloseTo(4.54, 2);
});

const GROUNDS = ['page', 'surface', 'sunken', 'raised'];
const ROLES = ['boot', 'table', 'settings', 'app', 'data', 'other'];

describe.each(THEMES)('in the %s theme', (theme) => {
  const on = (text: string, ground: string): number => contrast(colour(text, theme), colour(ground, theme));

  test.each(
    GROUNDS.flatMap((ground) => ['text', 'text-quiet', 'accent', 'bad', 'warn', 'good'].map((text) => [text, ground])),
  )('%s can be read on %s', (text, ground) => expect(on(text, ground)).toBeGreaterThanOrEqual(4.5));

  test.each([
    ['on-accent', 'accent'],
    ['on-accent', 'accent-strong'],
    ['accent', 'accent-soft'],
    ...['good', 'bad', 'warn'].flatMap((tone) => [
      [tone, `${tone}-soft`],
      ['text', `${tone}-soft`],
      ['text-quiet', `${tone}-soft`],
    ]),
    ...ROLES.map((role) => [`on-role-${role}`, `role-${role}`]),
  ])('%s can be read on %s', (text, ground) => expect(on(text, ground)).toBeGreaterThanOrEqual(4.5));

  test.each(ROLES)('a label can be read on every tint of %s that the flash map makes', (role) => {
    const surface = colour('surface', theme);
    // 13 % ground, 12 % more where something will lie, 26 % where something is kept.
    const ground = mix(colour(`role-${role}`, theme), surface, 0.13);
    for (const tint of [
      ground,
      mix(colour(`role-${role}`, theme), ground, 0.12),
      mix(colour(`role-${role}`, theme), surface, 0.26),
    ]) {
      expect(contrast(colour('text', theme), tint)).toBeGreaterThanOrEqual(4.5);
    }
  });

  test.each(ROLES)('the outline of %s, which says that it will be written, stands out from the surface', (role) => {
    const outline = mix(colour(`role-${role}`, theme), colour('text', theme), 0.8);
    expect(contrast(outline, colour('surface', theme))).toBeGreaterThanOrEqual(3);
  });

  test.each(['surface', 'page'])('the edges of fields stand out from %s', (ground) => {
    expect(on('line-strong', ground)).toBeGreaterThanOrEqual(3);
  });
});
