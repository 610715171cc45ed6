import { svelte } from '@sveltejs/vite-plugin-svelte';
import { svelteTesting } from '@testing-library/svelte/vite';
import { fileURLToPath } from 'node:url';
import { VitePWA } from 'vite-plugin-pwa';
import { defineConfig } from 'vitest/config';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The page is a program that works offline. All paths are relative: it may lie in any folder of any host. */
const offline = VitePWA({
  // A newer version waits until the user takes it: a page that writes to a board must not be loaded anew.
  registerType: 'prompt',
  injectRegister: false,
  scope: './',
  base: './',
  manifest: {
    id: './',
    name: 'Twostep',
    short_name: 'Twostep',
    description: 'Provision, recover and update two-slot ESP32 products',
    start_url: './',
    scope: './',
    display: 'standalone',
    theme_color: '#3f4dd8',
    background_color: '#f4f5f8',
    categories: ['developer', 'utilities'],
    icons: [
      { src: './icon.svg', sizes: 'any', type: 'image/svg+xml' },
      { src: './icon-192.png', sizes: '192x192', type: 'image/png' },
      { src: './icon-512.png', sizes: '512x512', type: 'image/png' },
      { src: './icon-maskable-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
    ],
  },
  workbox: {
    // Everything, the demo releases too.
    globPatterns: ['**/*'],
    globIgnores: ['**/*.map'],
    maximumFileSizeToCacheInBytes: 16 * 1024 * 1024,
    navigateFallback: null,
    cleanupOutdatedCaches: true,
  },
});

export default defineConfig({
  root: here('src/app'),
  // Relative, so that the page works from any host and any sub-path.
  base: './',
  publicDir: here('static'),
  plugins: [svelte({ configFile: false }), svelteTesting(), offline],
  build: {
    outDir: here('dist/page'),
    emptyOutDir: true,
    target: 'es2023',
    // The first that know light-dark(), on which the two themes stand.
    cssTarget: ['chrome123', 'edge123', 'firefox120', 'safari17.5'],
  },
  worker: { format: 'es' },
  test: {
    root: here('.'),
    include: ['test/**/*.test.ts'],
    // These run in a real browser, each with a configuration of its own.
    exclude: ['test/e2e/**', 'test/serial/**', 'node_modules/**'],
    testTimeout: 60_000,
  },
});
