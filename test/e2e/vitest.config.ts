import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../..', import.meta.url)),
    include: ['test/e2e/**/*.test.ts'],
    testTimeout: 120_000,
    // A browser on a busy machine may once be too slow for a step; what is broken fails three times.
    retry: 2,
    hookTimeout: 60_000,
    // Pages wait for their boards most of the time; more of them would only be in each other's way.
    maxConcurrency: 3,
    fileParallelism: false,
  },
});
