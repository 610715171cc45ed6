// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { pathOfHash, placeAt, Router } from '../../src/app/router.svelte.ts';

const FIRST = { path: '/', title: 'First' };
const ABOUT = { path: '/about', title: 'About' };
const PLACES: [typeof FIRST, typeof FIRST] = [FIRST, ABOUT];

test.each([
  ['', '/'],
  ['#', '/'],
  ['#/', '/'],
  ['#/about', '/about'],
  ['#about', '/about'],
  ['#//about', '/about'],
  ['#/about?x=1#y', '/about'],
])('the address %j names the path %j', (hash, path) => expect(pathOfHash(hash)).toBe(path));

test('an unknown path leads to the first place', () => {
  expect(placeAt(PLACES, '/about')).toBe(ABOUT);
  expect(placeAt(PLACES, '/nowhere')).toBe(FIRST);
});

describe('a router', () => {
  let stop: () => void = () => undefined;
  const seen: string[] = [];
  const go = (hash: string): void => {
    location.hash = hash;
    dispatchEvent(new Event('hashchange'));
  };

  beforeEach(() => {
    location.hash = '';
    seen.length = 0;
  });
  afterEach(() => stop());

  test('starts at the place that the address names', () => {
    location.hash = '#/about';
    expect(new Router(PLACES).current).toBe(ABOUT);
  });

  test('follows the address, and tells a change of place only', () => {
    const router = new Router(PLACES);
    stop = router.listen((place) => seen.push(place.title));
    go('#/about');
    expect(router.current).toBe(ABOUT);
    go('#/about?again');
    go('#/unknown');
    go('#/also-unknown');
    expect(seen).toEqual(['About', 'First']);
  });

  test('follows no more once it was stopped', () => {
    const router = new Router(PLACES);
    router.listen((place) => seen.push(place.title))();
    go('#/about');
    expect(seen).toEqual([]);
  });
});
