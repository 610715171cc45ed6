import { svelte } from '@sveltejs/vite-plugin-svelte';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here('src/app'),
  // Relative, so that the page works from any host and any sub-path.
  base: './',
  publicDir: here('static'),
  plugins: [svelte({ configFile: false })],
  build: { outDir: here('dist/page'), emptyOutDir: true, target: 'es2023' },
  test: {
    root: here('.'),
    include: ['test/**/*.test.ts'],
    exclude: ['test/e2e/**', 'node_modules/**'],
    testTimeout: 60_000,
  },
});
